import { silentLogger } from '../../core/log.ts';
import { LictorOperator } from './operator-shell.ts';

/** Opens what the library leaves to subclasses. */
class Opened extends LictorOperator {
  tryWatch(): Promise<void> {
    return this.watchResource();
  }
  tryFinalizer(): Promise<never> {
    return this.setResourceFinalizers();
  }
}

describe('operator shell', () => {
  it('hands over with the cluster’s configuration, and start ends when stop was called', async () => {
    let server: string | undefined;
    const shell = new LictorOperator({
      log: silentLogger,
      handover: (config, signal) => {
        server = config.getCurrentCluster()?.server;
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      },
    });
    const started = shell.start();
    shell.stop();
    await started;
    expect(server).toMatch(/^https?:\/\//);
  });

  it('gives the failure of what it handed over to', async () => {
    const shell = new LictorOperator({ log: silentLogger, handover: () => Promise.reject(new Error('port in use')) });
    await expect(shell.start()).rejects.toThrow('port in use');
  });

  it('has the library’s own watches and finalizers closed', async () => {
    const shell = new Opened({ log: silentLogger, handover: async () => {} });
    await expect(shell.tryWatch()).rejects.toMatchObject({ code: 'internal' });
    await expect(shell.tryFinalizer()).rejects.toMatchObject({ code: 'internal' });
  });

  it('names the contexts there are when it is given another', () => {
    expect(() => new LictorOperator({ log: silentLogger, handover: async () => {} }, { context: 'no-such' })).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining('--context="no-such"') }),
    );
  });
});

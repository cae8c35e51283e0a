import { rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { describeDig, digAddresses } from '../support/processes/dig.ts';
import { InstanceServer } from '../support/processes/instance-server.ts';
import { type DevProcess, startDev } from '../support/processes/lictor.ts';
import { runLictor } from '../support/processes/run-lictor.ts';
import { removeFolder, tempFolder } from '../support/processes/temp-folder.ts';
import { SOON } from './line.ts';
import { instancesAt, Witness } from './witness.ts';

/** A Service with one instance outside, and its HealthCheck, in one manifest. */
function manifest(name: string, instance: InstanceServer): string {
  const kind = (of: string, spec: object) =>
    JSON.stringify({ apiVersion: 'lictor.dev/v1alpha1', kind: of, metadata: { name }, spec });
  const service = kind('Service', { instances: [{ address: instance.host, port: instance.port }] });
  const check = kind('HealthCheck', {
    serviceRef: { name },
    http: { path: '/healthz' },
    interval: '1s',
    timeout: '1s',
  });
  return `${service}\n---\n${check}\n`;
}

describeDig('lictor dev', () => {
  const manifests = tempFolder('manifests');
  const instances: InstanceServer[] = [];
  let dev: DevProcess;

  beforeAll(async () => {
    for (const [at, name] of ['kept', 'removed'].entries()) {
      const instance = await InstanceServer.start(name, { host: `127.22.0.${at + 1}` });
      instances.push(instance);
      writeFileSync(join(manifests, `${name}.yaml`), manifest(name, instance));
    }
    dev = await startDev(manifests);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([dev?.stop(), ...instances.map((instance) => instance.stop())]);
    removeFolder(manifests);
  });

  const addresses = (name: string) => digAddresses(dev.dnsPort, `${name}.service.consul`);

  it('finds the instances that its manifests declare and its checks find well', async () => {
    await eventually(async () => expect(await addresses('kept')).toEqual(['127.22.0.1']), SOON);
    await eventually(async () => expect(await addresses('removed')).toEqual(['127.22.0.2']), SOON);
  });

  it('tells those who ask for a Service without instances why it has none', async () => {
    const spec = { selector: { matchLabels: { app: 'bare' } }, serviceName: 'nothing' };
    const bare = { apiVersion: 'lictor.dev/v1alpha1', kind: 'Service', metadata: { name: 'bare' }, spec };
    const file = join(manifests, 'bare.yaml');
    writeFileSync(file, JSON.stringify(bare));
    const agent = { url: `http://127.0.0.1:${dev.httpPort}` };
    await eventually(async () => {
      for (const command of ['explain', 'resolve']) {
        const { code, stderr } = await runLictor([command, 'nothing'], { agent });
        expect([code, stderr]).toEqual([
          2,
          expect.stringMatching(
            /^no instance of nothing in namespace default: the folder holds no .*spec\.instances\n$/,
          ),
        ]);
      }
      expect((await runLictor(['explain', 'bare'], { agent })).stderr).not.toContain('the folder');
    }, SOON);
    rmSync(file);
  }, 60_000);

  it('ends with everything, and started again drops what is declared no more and lets nothing else flap', async () => {
    const witness = new Witness(dev, 'kept', { mayBeAway: true });
    await eventually(async () => (await instancesAt(dev, 'kept', '?passing')).length === 1, SOON);
    await dev.terminate();
    for (const port of [dev.httpPort, dev.dnsPort]) await expect(opens(port)).resolves.toBe(false);
    rmSync(join(manifests, 'removed.yaml'));
    await dev.restart();
    await eventually(async () => expect(await addresses('removed')).toEqual([]), SOON);
    await eventually(async () => (await instancesAt(dev, 'removed')).length === 0, SOON);
    const before = await instances[0]!.probes();
    await eventually(async () => (await instances[0]!.probes()) > before + 1, SOON);
    const { seen } = await witness.stop();
    expect(seen).toHaveLength(1);
    expect(seen[0]!.passing).toContain('kept');
  }, 60_000);

  it('takes an edited, a half-written and a mended manifest as they are saved', async () => {
    const file = join(manifests, 'kept.yaml');
    const whole = manifest('kept', instances[0]!);
    writeFileSync(file, whole.slice(0, whole.length / 3));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(await addresses('kept')).toEqual(['127.22.0.1']);
    writeFileSync(file, manifest('kept', instances[1]!));
    await eventually(async () => expect(await addresses('kept')).toEqual(['127.22.0.2']), SOON);
  }, 60_000);
});

function opens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

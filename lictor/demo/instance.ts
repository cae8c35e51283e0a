import { AppError } from '../../core/errors.ts';
import { createServer } from '../../core/node-http.ts';
import { type DemoIdentity, identityHeader, portTaken } from './occupant.ts';

/**
 * One real HTTP service of the demo: `/healthz` answers 200, anything else says who answers. Runs until the signal
 * aborts. @throws AppError `addressInUse`.
 */
export function runInstance(
  options: DemoIdentity & { readonly host: string; readonly port: number; readonly onListening?: () => void },
  signal: AbortSignal,
): Promise<void> {
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'text/plain');
    response.setHeader(...identityHeader(options));
    response.end(request.url === '/healthz' ? 'ok\n' : `hello from ${options.name}\n`);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') reject(cause);
      else portTaken(options).then((text) => reject(new AppError('addressInUse', text, { cause })), reject);
    });
    server.listen(options.port, options.host, options.onListening);
    signal.addEventListener(
      'abort',
      () => {
        server.close(() => resolve());
        server.closeAllConnections();
      },
      { once: true },
    );
  });
}

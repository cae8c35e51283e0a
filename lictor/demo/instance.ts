import { AppError } from '../../core/errors.ts';
import { createServer } from '../../core/node-http.ts';

/**
 * One real HTTP service of the demo: `/healthz` answers 200, anything else says who answers. Runs until the signal
 * aborts. @throws AppError `addressInUse`.
 */
export function runInstance(
  options: { name: string; host: string; port: number; onListening?: () => void },
  signal: AbortSignal,
): Promise<void> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/plain');
    response.end(request.url === '/healthz' ? 'ok\n' : `hello from ${options.name}\n`);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'EADDRINUSE'
          ? new AppError(
              'addressInUse',
              `port ${options.port} is taken: stop what listens there (${options.name} needs it)`,
              { cause },
            )
          : cause,
      );
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

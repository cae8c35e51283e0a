import type { FastifyInstance } from 'fastify';
import { AppError, errorText } from '../../core/errors.ts';
import type { HttpServerOptions } from './server-options.ts';
import { giveSocket, removeDeadSocket, socketPath } from './unix-socket.ts';

type Place = Pick<HttpServerOptions, 'host' | 'port' | 'portFlag' | 'socketFile'> & { readonly name: string };

/**
 * Binds a server to its address or socket file; gives where it is bound. On failure the server is closed.
 * @throws AppError `addressInUse`, `config`: one clear line each.
 */
export async function bind(app: FastifyInstance, options: Place): Promise<{ host: string; port: number }> {
  const { name, host, port, portFlag, socketFile } = options;
  const path = socketPath(host);
  const place = path ?? `${host}:${port}`;
  try {
    if (path !== undefined) await removeDeadSocket(path);
    await app.listen(path === undefined ? { host, port, backlog: 1024 } : { path, backlog: 1024 });
    if (path !== undefined && socketFile) giveSocket(path, socketFile);
  } catch (error) {
    await app.close();
    if (error instanceof AppError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const advice = portFlag ? `; stop the other process or choose another port with ${portFlag}` : '';
    if (code === 'EADDRINUSE') {
      throw new AppError('addressInUse', `${name}: ${place} is already in use${advice}`, { cause: error });
    }
    throw new AppError('config', `${name}: cannot listen on ${place}: ${errorText(error)}`, { cause: error });
  }
  const bound = app.server.address();
  return typeof bound === 'object' && bound ? { host: bound.address, port: bound.port } : { host, port };
}

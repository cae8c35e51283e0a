import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { sendConnected } from './send-connected.ts';

it('leaves a socket that there is no address for such that it can be closed', async () => {
  // As where no port is left: what it is to be bound to is no address of this machine (RFC 5737).
  const socket = createSocket({ type: 'udp4', lookup: (_name, _options, callback) => callback(null, '192.0.2.77', 4) });
  const failed = once(socket, 'error');
  socket.on('error', () => {});
  sendConnected(socket, { address: '127.0.0.1', port: 9 }, Buffer.from('x'), () => {});
  await failed;
  const closed = once(socket, 'close');
  socket.close();
  await closed;
});

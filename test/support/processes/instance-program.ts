import { createServer } from 'node:http';

/**
 * A small HTTP service, run as a process of its own: `node instance-program.ts HOST PORT NAME`. `GET /` says its name,
 * `GET /healthz` answers with the status that `PUT /healthz` with a number as body set (200 at first), or, with `hang`
 * as body, not at all. `GET /probes` tells how often its health was asked.
 */
const [host, port, name] = process.argv.slice(2);
let health = 200;
let hanging = false;
let probes = 0;

const server = createServer((request, response) => {
  if (request.url === '/healthz' && request.method === 'PUT') {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.once('end', () => {
      hanging = body === 'hang';
      if (!hanging) health = Number(body);
      response.end();
    });
    return;
  }
  if (request.url === '/healthz') {
    probes++;
    if (hanging) return;
    response.writeHead(health).end(`${name} is ${health === 200 ? 'well' : 'ill'}\n`);
    return;
  }
  response.end(request.url === '/probes' ? `${probes}` : `${name}\n`);
});
server.listen(Number(port), host, () => console.log(`${name} listens on ${host}:${port}`));

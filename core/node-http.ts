import { createRequire } from 'node:module';

/**
 * Node's `node:http`, taken by `require`: an `import` reads every export of a builtin, among them the WebSocket classes,
 * and with those comes a whole HTTP client that nobody here uses (some 15 MB of memory in each process).
 */
const http = createRequire(import.meta.url)('node:http') as typeof import('node:http');

export const { createServer, request, STATUS_CODES, validateHeaderName, validateHeaderValue } = http;

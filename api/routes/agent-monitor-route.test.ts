import type { Readable } from 'node:stream';
import { createLogger } from '../../core/log.ts';
import type { RouteRequest, RouteResponse } from '../http/route.ts';
import { agentMonitorRoute } from './agent-monitor-route.ts';

const clock = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5) };

function monitor(query: string) {
  const log = createLogger({ level: 'error', sink: { write() {} } });
  const stop = new AbortController();
  const request = { query: new URLSearchParams(query), signal: stop.signal } as RouteRequest;
  const answer = agentMonitorRoute({ logs: log, clock }).handle(request) as RouteResponse;
  return { log, stop, stream: answer.stream as Readable };
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe('GET /v1/agent/monitor', () => {
  it('streams lines at the level of the reader, below that of the agent', async () => {
    const { log, stop, stream } = monitor('loglevel=debug');
    const text = textOf(stream);
    log.trace('too low');
    log.child({ part: 'dns' }).debug('asked', { name: 'web.service.consul', why: 'a b', ms: 2 });
    log.info('plain');
    await Promise.resolve();
    stop.abort();
    const lines = (await text).split('\n');
    expect(lines[0]).toMatch(
      /^\d{4}-[\dT:.-]+Z \[DEBUG\] agent\.dns: asked: name=web\.service\.consul why="a b" ms=2$/,
    );
    expect(lines[1]).toMatch(/ \[INFO\] {2}agent: plain$/);
    expect(lines).toHaveLength(3);
  });

  it('writes JSON with logjson', async () => {
    const { log, stop, stream } = monitor('logjson=true');
    const text = textOf(stream);
    log.child({ part: 'agent' }).warn('disk full', { path: '/data' });
    await Promise.resolve();
    stop.abort();
    expect(JSON.parse(await text)).toMatchObject({
      '@level': 'warn',
      '@message': 'disk full',
      '@module': 'agent',
      path: '/data',
    });
  });

  it('keeps a bounded number of lines for a slow reader and tells how many were lost', async () => {
    const { log, stop, stream } = monitor('');
    for (let at = 0; at < 2_000; at++) log.info('line', { at });
    const lines: string[] = [];
    for await (const chunk of stream) {
      lines.push(...(chunk as Buffer).toString().split('\n').filter(Boolean));
      if (lines.at(-1)!.includes('lines were lost')) stop.abort();
    }
    const kept = lines.filter((line) => line.includes('agent: line')).length;
    expect(kept).toBeLessThan(2_000);
    expect(lines.at(-1)).toContain(`lines=${2_000 - kept}`);
  });

  it('costs nothing once the reader has gone', () => {
    const { stream, log } = monitor('loglevel=trace');
    stream.destroy();
    log.trace('nobody listens');
    expect(stream.readableLength).toBe(0);
  });

  it('refuses an unknown level', () => {
    expect(() => monitor('loglevel=loud')).toThrow('Unknown log level: loud');
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../eventually.ts';
import { parseDig } from './dig.ts';
import { freePort } from './free-port.ts';
import { InstanceServer } from './instance-server.ts';
import { removeFolder, tempFolder } from './temp-folder.ts';
import { startTied, type TiedProcess } from './tied-process.ts';

function stateOf(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.charAt(0);
}

describe('TiedProcess', () => {
  const folder = tempFolder('tied');
  afterAll(() => removeFolder(folder));

  const start = (script: string): Promise<TiedProcess> =>
    startTied({ name: 'script', command: '/bin/sh', args: ['-c', script], logFile: join(folder, 'log') });

  it('tells output and exit code', async () => {
    const ended = await start('echo out; echo err >&2; exit 3');
    expect(await ended.exited).toEqual({ code: 3, signal: null });
    expect(ended.log()).toBe('out\nerr\n');
    expect(ended.running).toBe(false);
  });

  it('stops politely, and by force what does not listen or is paused', async () => {
    const polite = await start('trap "exit 7" TERM; while :; do sleep 0.05; done');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await polite.stop()).toEqual({ code: 7, signal: null });
    const deaf = await start('trap "" TERM; while :; do sleep 0.05; done');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await deaf.stop(200)).toEqual({ code: null, signal: 'SIGKILL' });
    const paused = await start('while :; do sleep 0.05; done');
    paused.pause();
    if (existsSync('/proc')) await eventually(() => stateOf(paused.pid) === 'T', { withinMs: 30_000 });
    expect(await paused.stop()).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('says which program does not start', async () => {
    const missing = startTied({ name: 'ghost', command: '/nonexistent/ghost', args: [], logFile: join(folder, 'log') });
    await expect(missing).rejects.toThrow('ghost does not start');
  });
});

describe('InstanceServer', () => {
  it('turns its health, dies and comes back on its port', async () => {
    const instance = await InstanceServer.start('web-1');
    try {
      const health = async () => (await fetch(`${instance.url}/healthz`)).status;
      expect(await health()).toBe(200);
      await instance.setHealth(503);
      expect(await health()).toBe(503);
      expect(await instance.probes()).toBe(2);
      await instance.kill();
      await expect(health()).rejects.toThrow();
      await instance.restart();
      expect(await health()).toBe(200);
    } finally {
      await instance.stop();
    }
  });
});

describe('freePort', () => {
  it('never gives one twice', async () => {
    const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
    expect(new Set(ports).size).toBe(20);
  });
});

describe('parseDig', () => {
  it('reads status, flags and sections', () => {
    const output = `;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1
;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 2

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 4096
;; ANSWER SECTION:
web.service.consul.\t0\tIN\tSRV\t1 1 8080 n1.node.dc1.consul.

;; ADDITIONAL SECTION:
n1.node.dc1.consul.\t0\tIN\tA\t10.0.0.1
`;
    expect(parseDig(output)).toEqual({
      status: 'NOERROR',
      flags: ['qr', 'aa', 'rd'],
      answer: [{ name: 'web.service.consul.', ttl: 0, type: 'SRV', data: '1 1 8080 n1.node.dc1.consul.' }],
      authority: [],
      additional: [{ name: 'n1.node.dc1.consul.', ttl: 0, type: 'A', data: '10.0.0.1' }],
    });
    expect(parseDig(';; communications error to 127.0.0.1#1: timed out\n').status).toBe('TIMEOUT');
  });
});

import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { eventually } from '../eventually.ts';
import { describeKube } from './binaries.ts';
import { type OwnKube, startKube } from './start-kube.ts';

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describeKube('startKube', () => {
  let kubes: OwnKube[] = [];
  beforeAll(async () => {
    kubes = await Promise.all([startKube(), startKube()]);
  }, 120_000);
  afterAll(async () => {
    await Promise.all(kubes.map((kube) => kube.stop()));
  });

  it('gives two at once that know nothing of each other', async () => {
    const [one, two] = kubes as [OwnKube, OwnKube];
    const name = await one.createNamespace('only-here');
    expect((await one.api.call('GET', `/api/v1/namespaces/${name}`)).status).toBe(200);
    expect((await two.api.call('GET', `/api/v1/namespaces/${name}`)).status).toBe(404);
    const listed = await one.kubectl(['get', 'namespaces', '-o', 'name']);
    expect(listed).toMatchObject({ code: 0, stderr: '' });
    expect(listed.stdout).toContain(`namespace/${name}`);
  });

  it('keeps its data, address and certificate over a crash of the API server and of etcd', async () => {
    const kube = kubes[0]!;
    const name = await kube.createNamespace('kept');
    await kube.killApiserver();
    await expect(kube.api.call('GET', '/readyz')).rejects.toThrow();
    await kube.killEtcd();
    await kube.startEtcd();
    await kube.startApiserver();
    expect((await kube.api.call('GET', `/api/v1/namespaces/${name}`)).status).toBe(200);
  }, 90_000);

  it('answers 410 to a watch from before a compaction, once restarted', async () => {
    const kube = kubes[1]!;
    const before = await kube.api.get<{ metadata: { resourceVersion: string } }>('/api/v1/namespaces');
    await kube.createNamespace('later');
    await kube.createNamespace('later');
    await kube.compact();
    await kube.killApiserver();
    await kube.startApiserver();
    const watch = `/api/v1/namespaces?watch=1&timeoutSeconds=5&resourceVersion=${before.metadata.resourceVersion}`;
    const answer = await kube.api.call<string>('GET', watch);
    expect(answer.body).toContain('"code":410');
  }, 90_000);

  it('leaves neither process nor folder behind when the process that started it is killed', async () => {
    const program = `
      import { startKube } from ${JSON.stringify(fileURLToPath(new URL('./start-kube.ts', import.meta.url)))};
      const kube = await startKube();
      kube.apiserver.pause();
      console.log(JSON.stringify({ pids: [kube.etcd.pid, kube.apiserver.pid], folders: [kube.place.folder, kube.place.etcdFolder] }));
      setInterval(() => {}, 1000);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const line = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data: Buffer) => resolve(data.toString())),
    );
    const { pids, folders } = JSON.parse(line) as { pids: number[]; folders: string[] };
    expect(pids.every(alive)).toBe(true);
    child.kill('SIGKILL');
    await eventually(() => !pids.some(alive) && !folders.some((folder) => existsSync(folder)), { withinMs: 15_000 });
  }, 120_000);
});

it('keeps the built API server in the folder that LICTOR_KUBE_CACHE names', () => {
  const path = execFileSync(fileURLToPath(new URL('../../../scripts/build-kube', import.meta.url)), ['--path'], {
    encoding: 'utf8',
    env: { ...process.env, LICTOR_KUBE_CACHE: '/nonexistent/cache' },
  });
  expect(path).toMatch(/^\/nonexistent\/cache\/1\.\d+\.\d+-\d+\/kube-apiserver\n$/);
});

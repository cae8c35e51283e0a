import { eventually } from '../support/eventually.ts';
import { describeKube } from '../support/kube/binaries.ts';
import { createPod } from '../support/kube/pods.ts';
import { describeDig, digAddresses } from '../support/processes/dig.ts';
import { InstanceServer } from '../support/processes/instance-server.ts';
import type { AgentProcess } from '../support/processes/lictor.ts';
import { type ProbedServer, startGrpcServer, startSilentUdp } from '../support/processes/probed-server.ts';
import { Line, SOON } from './line.ts';
import { Witness } from './witness.ts';

describeKube('a HealthCheck', () => {
  describeDig('run by the agent of the pod’s node', () => {
    let line: Line;
    let agent: AgentProcess;
    let namespace: string;
    const instances: InstanceServer[] = [];
    const all = () => instances.map(({ host }) => host).sort();
    const but = (gone: InstanceServer) => all().filter((host) => host !== gone.host);

    beforeAll(async () => {
      line = await Line.start();
      namespace = await line.kube.createNamespace('shop');
      const first = await InstanceServer.start('web-1', { host: '127.21.0.1' });
      instances.push(first, await InstanceServer.start('web-2', { host: '127.21.0.2', port: first.port }));
      for (const { host, port, name } of instances) {
        await createPod(line.kube, {
          namespace,
          name,
          ip: host,
          nodeName: 'node-1',
          labels: { app: 'web' },
          ports: { http: port },
        });
      }
      await Promise.all([line.operator(), line.agent('node-1').then((started) => (agent = started))]);
    }, 120_000);
    afterAll(async () => {
      await Promise.all([line?.stop(), ...instances.map((instance) => instance.stop())]);
    }, 30_000);

    it('passes on instances that are well', async () => {
      await line.declare(namespace, 'web');
      await line.declareCheck(namespace, 'web', { http: { path: '/healthz' } });
      await line.untilAddresses('web', all());
      await line.untilStatus(namespace, 'web', 2, 2);
      await eventually(async () => {
        const { status } = await line.healthCheck(namespace, 'web');
        expect(status).toMatchObject({ passing: 2, warning: 0, critical: 0 });
        expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
      }, SOON);
      expect(await instances[0]!.probes()).toBeGreaterThan(0);
    }, 60_000);

    it('answers the same at the node’s own agent', async () => {
      await eventually(async () => {
        expect(await digAddresses(agent.dnsPort, 'web.service.consul')).toEqual(all());
      }, SOON);
    });

    it.each([
      ['answers 503', (ill: InstanceServer) => ill.setHealth(503), (ill: InstanceServer) => ill.setHealth(200), /503/],
      ['is dead', (ill: InstanceServer) => ill.kill(), (ill: InstanceServer) => ill.restart(), /refused/i],
    ])(
      'takes an instance that %s out of DNS and both statuses, and back in',
      async (_, makeIll, makeWell, output) => {
        const ill = instances[1]!;
        await makeIll(ill);
        await line.untilAddresses('web', but(ill));
        const service = await line.untilStatus(namespace, 'web', 1, 2);
        expect(service.status?.endpoints?.[0]).toMatchObject({ address: ill.host, status: 'critical' });
        const failing = await eventually(async () => {
          const { status } = await line.healthCheck(namespace, 'web');
          expect(status).toMatchObject({ passing: 1, critical: 1 });
          return status?.failing?.[0];
        }, SOON);
        expect(failing).toMatchObject({ node: 'node-1', status: 'critical', output: expect.stringMatching(output) });
        await makeWell(ill);
        await line.untilAddresses('web', all());
        await line.untilStatus(namespace, 'web', 2, 2);
        await eventually(async () => {
          expect((await line.healthCheck(namespace, 'web')).status).toMatchObject({
            passing: 2,
            critical: 0,
            failing: [],
          });
        }, SOON);
      },
      90_000,
    );

    it('does not turn critical because the agent is restarted', async () => {
      const witness = new Witness(line.server, 'web');
      const before = await instances[0]!.probes();
      await agent.restart();
      await eventually(async () => (await instances[0]!.probes()) > before + 1, SOON);
      const { seen, questions } = await witness.stop();
      expect(questions).toBeGreaterThan(5);
      expect(seen).toHaveLength(1);
    }, 60_000);

    it('is critical with a reason where no agent can run it', async () => {
      await createPod(line.kube, {
        namespace,
        name: 'web-3',
        ip: '127.21.0.3',
        nodeName: 'node-without-agent',
        labels: { app: 'web' },
        ports: { http: 1 },
      });
      await eventually(async () => {
        const { status } = await line.healthCheck(namespace, 'web');
        const failing = status?.failing?.find(({ node }) => node === 'node-without-agent');
        expect(failing).toMatchObject({ status: 'critical', output: expect.stringMatching(/agent/i) });
      }, SOON);
      expect(await line.addresses('web')).toEqual(all());
    }, 30_000);

    it.each([
      [
        'grpc',
        { grpc: { service: 'shop.v1.Orders' } },
        () => startGrpcServer('shop.v1.Orders'),
        /Unavailable.*refused/,
      ],
      ['h2ping', { h2ping: {} }, () => startGrpcServer(''), /HTTP2 ping failed.*refused/],
      ['udp', { udp: {} }, startSilentUdp, /udp.*refused/],
    ])(
      'of the kind %s passes while somebody answers, and is critical after',
      async (kind, spec, start: () => Promise<ProbedServer>, output) => {
        const server = await start();
        await line.declare(namespace, kind, {
          instances: [{ address: '127.0.0.1', port: server.port, node: 'node-1' }],
        });
        await line.declareCheck(namespace, kind, spec);
        await line.untilAddresses(kind, ['127.0.0.1']);
        await server.stop();
        await line.untilAddresses(kind, []);
        await eventually(async () => {
          const { status } = await line.healthCheck(namespace, kind);
          expect(status?.failing?.[0]).toMatchObject({ status: 'critical', output: expect.stringMatching(output) });
        }, SOON);
      },
      60_000,
    );

    it('of the kind grpc is critical where the service is not known', async () => {
      const server = await startGrpcServer('shop.v1.Orders');
      try {
        await line.declare(namespace, 'other', {
          instances: [{ address: '127.0.0.1', port: server.port, node: 'node-1' }],
        });
        await line.declareCheck(namespace, 'other', { grpc: { service: 'shop.v1.Carts' } });
        await eventually(async () => {
          const { status } = await line.healthCheck(namespace, 'other');
          expect(status?.failing?.[0]?.output).toMatch(/code = 5/);
        }, SOON);
      } finally {
        await server.stop();
      }
    }, 60_000);

    it('ends with its object', async () => {
      await line.kube.kubectl(['delete', 'lhc', '-n', namespace, 'web']);
      // Readiness alone counts again.
      await line.untilAddresses('web', [...all(), '127.21.0.3']);
    }, 30_000);
  });
});

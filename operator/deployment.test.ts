import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { parseOperatorOptions } from './options.ts';

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  spec: { template: { spec: { serviceAccountName: string; containers: Container[] } } };
}
interface Container {
  args: string[];
  env: { name: string; value: string }[];
  ports: { name: string; containerPort: number }[];
  livenessProbe: { httpGet: { port: string; path: string } };
  readinessProbe: { httpGet: { port: string; path: string } };
}

const read = (file: string) =>
  parseAllDocuments(readFileSync(new URL(file, import.meta.url), 'utf8')).map((each) => each.toJS() as Manifest);

it('starts the operator with flags that it takes, probed where it listens, as the account that has its rights', () => {
  const [namespace, deployment] = read('deployment.yaml');
  const { serviceAccountName, containers } = deployment!.spec.template.spec;
  const [{ args, env, ports, livenessProbe, readinessProbe }] = containers as [Container];
  expect(args[0]).toBe('operator');
  const options = parseOperatorOptions(args.slice(1), Object.fromEntries(env.map(({ name, value }) => [name, value])));
  expect(options).toMatchObject({
    httpAddresses: ['http://lictor-server.lictor-system.svc:8500'],
    metricsAddress: { host: '0.0.0.0', port: ports[0]!.containerPort },
    leaderElect: true,
  });
  expect([livenessProbe.httpGet, readinessProbe.httpGet]).toEqual([
    { path: '/healthz', port: ports[0]!.name },
    { path: '/readyz', port: ports[0]!.name },
  ]);
  const account = read('rbac.yaml').find(({ kind }) => kind === 'ServiceAccount')!;
  expect({ name: serviceAccountName, namespace: namespace!.metadata.name }).toEqual(account.metadata);
  expect(deployment!.metadata.namespace).toBe(namespace!.metadata.name);
});

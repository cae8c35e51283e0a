import { join } from 'node:path';
import type { HealthCheck, Service } from '../../crds/types/index.ts';
import { eventually } from '../support/eventually.ts';
import { writeKubeconfig } from '../support/kube/control-plane.ts';
import { FaultProxy } from '../support/kube/fault-proxy.ts';
import { grantOperatorRights, type OperatorRights } from '../support/kube/operator-rights.ts';
import { type OwnKube, startKube } from '../support/kube/start-kube.ts';
import { digAddresses } from '../support/processes/dig.ts';
import {
  type AgentProcess,
  type OperatorProcess,
  startClientAgent,
  startOperator,
  startServer,
} from '../support/processes/lictor.ts';
import { instancesAt } from './witness.ts';

/** An instance as `/v1/health/service` shows it, as far as tests look. */
export interface HealthEntry {
  readonly Node: { readonly Node: string };
  readonly Service: {
    readonly ID: string;
    readonly Address: string;
    readonly Port: number;
    readonly ModifyIndex: number;
  };
  readonly Checks: readonly { readonly CheckID: string; readonly Status: string; readonly Output: string }[];
}

/** How long the whole line may take from a change to what is seen; ten times what is expected. */
export const SOON = { withinMs: 15_000 };

/** Flags of an operator that a test kills: a new one need not wait 15 s until the lease of the dead one has run out. */
export const SHORT_LEASE = ['--lease-duration=3'];

/**
 * The whole line with real parts: etcd and kube-apiserver with the CRDs, a server, and operators and client agents as a
 * test asks for them, each a process of its own. Everything ends with `stop()`.
 */
export class Line {
  readonly kube: OwnKube;
  readonly server: AgentProcess;
  readonly #stops: (() => Promise<void>)[] = [];

  #rights: OperatorRights = { token: '', namespace: '' };

  private constructor(kube: OwnKube, server: AgentProcess) {
    this.kube = kube;
    this.server = server;
    this.#stops.push(
      () => kube.stop(),
      () => server.stop(),
    );
  }

  static async start(): Promise<Line> {
    const [kube, server] = await Promise.allSettled([startKube(), startServer()]);
    if (kube.status === 'fulfilled' && server.status === 'fulfilled') {
      const line = new Line(kube.value, server.value);
      try {
        await line.kube.installCrds();
        line.#rights = await grantOperatorRights(line.kube);
        return line;
      } catch (error) {
        await line.stop();
        throw error;
      }
    }
    for (const part of [kube, server]) if (part.status === 'fulfilled') await part.value.stop();
    throw kube.status === 'rejected' ? kube.reason : (server as PromiseRejectedResult).reason;
  }

  /** Starts an operator; through `proxy` when given, else at the API server itself. */
  async operator(
    options: { name?: string; proxy?: FaultProxy; args?: readonly string[] } = {},
  ): Promise<OperatorProcess> {
    const operator = await startOperator({
      ...options,
      kubeconfig: this.#kubeconfig(options.proxy),
      server: this.server,
    });
    this.#stops.push(() => operator.stop());
    return operator;
  }

  /** A proxy in front of the API server. */
  async proxy(): Promise<FaultProxy> {
    const proxy = await FaultProxy.start(this.kube);
    this.#stops.push(() => proxy.stop());
    return proxy;
  }

  /** The agent of a node. */
  async agent(node: string): Promise<AgentProcess> {
    const agent = await startClientAgent(this.server, { node });
    this.#stops.push(() => agent.stop());
    return agent;
  }

  /** The operator's own: it has its ServiceAccount's rights only. */
  #kubeconfig(proxy: FaultProxy | undefined): string {
    const file = join(this.kube.place.folder, `kubeconfig-operator-${proxy ? new URL(proxy.url).port : 'direct'}`);
    const target = proxy ? { url: proxy.url } : { url: this.kube.url, caFile: this.kube.caFile };
    writeKubeconfig(file, { ...target, ...this.#rights });
    return file;
  }

  /** Declares a Service; the default one takes the pods labelled `app: <name>` and offers their port `http`. */
  async declare(namespace: string, name: string, spec: Partial<Service['spec']> = {}): Promise<void> {
    const from = spec.kubernetesService || spec.instances ? {} : { selector: { matchLabels: { app: name } } };
    const ports = spec.instances ? {} : { ports: [{ name: 'http', port: 'http' }] };
    const body = {
      apiVersion: 'lictor.dev/v1alpha1',
      kind: 'Service',
      metadata: { name },
      spec: { ...from, ...ports, ...spec },
    };
    await this.kube.api.post(servicesPath(namespace), body);
  }

  /** Declares a HealthCheck of the Service of the same name, each second, critical at the first failure. */
  async declareCheck(namespace: string, name: string, spec: Partial<HealthCheck['spec']> = {}): Promise<void> {
    const defaults = { serviceRef: { name }, interval: '1s', timeout: '1s', failuresBeforeCritical: 0 };
    const body = {
      apiVersion: 'lictor.dev/v1alpha1',
      kind: 'HealthCheck',
      metadata: { name },
      spec: { ...defaults, ...spec },
    };
    await this.kube.api.post(checksPath(namespace), body);
  }

  service(namespace: string, name: string): Promise<Service> {
    return this.kube.api.get<Service>(`${servicesPath(namespace)}/${name}`);
  }

  healthCheck(namespace: string, name: string): Promise<HealthCheck> {
    return this.kube.api.get<HealthCheck>(`${checksPath(namespace)}/${name}`);
  }

  /** What dig finds under `<name>.service.consul` at the server, sorted. */
  addresses(name: string): Promise<string[]> {
    return digAddresses(this.server.dnsPort, `${name}.service.consul`);
  }

  /** Every instance in the catalog, or the passing ones only, in the order of their ids. */
  instances(name: string, filter: '' | '?passing' = ''): Promise<HealthEntry[]> {
    return instancesAt(this.server, name, filter);
  }

  /** Waits until dig finds just these addresses. */
  async untilAddresses(name: string, expected: readonly string[]): Promise<void> {
    const wanted = [...expected].sort().join(' ');
    let last = '';
    await eventually(async () => {
      last = (await this.addresses(name)).join(' ');
      if (last !== wanted) throw new Error(`dig ${name}.service.consul finds "${last}", not "${wanted}"`);
    }, SOON);
  }

  /** Waits until the status says so many of so many, and every listed endpoint is one that dig finds when it is healthy. */
  async untilStatus(namespace: string, name: string, healthy: number, total: number): Promise<Service> {
    return eventually(async () => {
      const service = await this.service(namespace, name);
      const found = `${service.status?.healthy}/${service.status?.total}`;
      if (found !== `${healthy}/${total}`) throw new Error(`status of ${name} says ${found}, not ${healthy}/${total}`);
      return service;
    }, SOON);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.reverse()) await stop();
  }
}

export function servicesPath(namespace: string): string {
  return `/apis/lictor.dev/v1alpha1/namespaces/${namespace}/services`;
}

export function checksPath(namespace: string): string {
  return `/apis/lictor.dev/v1alpha1/namespaces/${namespace}/healthchecks`;
}

export function intentionsPath(namespace: string): string {
  return `/apis/lictor.dev/v1alpha1/namespaces/${namespace}/intentions`;
}

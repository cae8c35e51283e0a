import type { AgentEntries, AssignedCheck, NodeHealth, VerdictReport } from '../../api/shapes/agent-sync.ts';
import type { CheckStatus } from '../../api/shapes/catalog.ts';
import type { CheckRegistration, Deregistration, Registration, WriterIdentity } from '../../api/shapes/registration.ts';
import { AppError } from '../../core/errors.ts';
import type { ServerCatalog } from '../server-pool/server-catalog.ts';

interface FakeCheck {
  owner: string;
  hash: string;
  serviceId: string;
  status: CheckStatus;
  output: string;
}

/** For tests: a catalog of one node in memory that can be told to fail or to hang. */
export class FakeServerCatalog implements ServerCatalog {
  readonly nodes = new Map<string, Registration>();
  readonly services = new Map<string, { owner: string; hash: string; registration: Registration }>();
  readonly checks = new Map<string, FakeCheck>();
  readonly reports: VerdictReport[] = [];
  /** Every call in order, as `name subject`. */
  readonly calls: string[] = [];
  /** Whether entries have tags that others may set; earlier versions do not give them. */
  givesTags = true;
  assigned: { index: number; checks: AssignedCheck[] } = { index: 1, checks: [] };
  /** When set, calls of these names reject with it. */
  failure: AppError | undefined;
  failing: (call: string) => boolean = () => true;
  /** When set, writes wait for it. */
  gate: Promise<void> | undefined;
  #wake: (() => void)[] = [];

  async register(registration: Registration, writer: WriterIdentity): Promise<void> {
    const subject = registration.Service?.ID ?? registration.Check?.CheckID ?? registration.Node;
    await this.#enter(`register ${subject}`);
    this.nodes.set(registration.Node, registration);
    const { Service } = registration;
    if (Service) {
      const current = this.services.get(Service.ID!);
      if (current && current.owner !== writer.owner) throw new AppError('notOwner', `${Service.ID} is not yours`);
      this.services.set(Service.ID!, { owner: writer.owner, hash: writer.hash ?? '', registration });
    }
    for (const check of registration.Checks ?? []) this.#putCheck(check, writer);
    if (registration.Check) this.#putCheck(registration.Check, writer);
  }

  async deregister(target: Deregistration, writer: WriterIdentity): Promise<void> {
    await this.#enter(`deregister ${target.ServiceID ?? target.CheckID ?? target.Node}`);
    if (target.ServiceID) {
      this.#delete(this.services, target.ServiceID, writer);
      for (const [id, check] of this.checks) if (check.serviceId === target.ServiceID) this.checks.delete(id);
    } else if (target.CheckID) this.#delete(this.checks, target.CheckID, writer);
  }

  async entries(node: string, _signal: AbortSignal): Promise<AgentEntries> {
    await this.#enter('entries');
    const own = ([, entry]: [string, { owner: string }]) => entry.owner === `agent/${node}`;
    const Namespace = 'default';
    return {
      Services: [...this.services].filter(own).map(([ServiceID, { hash, registration }]) => {
        const { EnableTagOverride, Tags = [] } = registration.Service ?? {};
        const tags = this.givesTags && EnableTagOverride ? { Tags } : {};
        return { Namespace, ServiceID, Hash: hash, ...tags };
      }),
      Checks: [...this.checks].filter(own).map(([CheckID, check]) => ({
        Namespace,
        CheckID,
        ServiceID: check.serviceId,
        Hash: check.hash,
        Status: check.status,
        Output: check.output,
      })),
    };
  }

  async definitions(
    _node: string,
    options: { index: number },
    signal: AbortSignal,
  ): Promise<{ index: number; checks: AssignedCheck[] }> {
    await this.#enter(`definitions ${options.index}`);
    if (options.index === this.assigned.index) {
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      if (this.failure && this.failing('definitions')) throw this.failure;
    }
    return this.assigned;
  }

  /** Knows no other node. */
  async health(node: string): Promise<{ index: number; health: NodeHealth }> {
    await this.#enter(`health ${node}`);
    return { index: 1, health: { Known: false, Services: [], Checks: [] } };
  }

  async report(_node: string, report: VerdictReport): Promise<void> {
    await this.#enter('report');
    this.reports.push(report);
    for (const verdict of report.Verdicts) {
      const check = this.checks.get(verdict.CheckID);
      if (check) Object.assign(check, { status: verdict.Status, output: verdict.Output });
    }
  }

  assign(index: number, checks: AssignedCheck[]): void {
    this.assigned = { index, checks };
    this.wake();
  }

  wake(): void {
    for (const resolve of this.#wake.splice(0)) resolve();
  }

  async #enter(call: string): Promise<void> {
    this.calls.push(call);
    if (this.gate && !call.startsWith('definitions')) await this.gate;
    if (this.failure && this.failing(call)) throw this.failure;
  }

  #putCheck(check: CheckRegistration, writer: WriterIdentity): void {
    this.checks.set(check.CheckID!, {
      owner: writer.owner,
      hash: writer.hash ?? '',
      serviceId: check.ServiceID ?? '',
      status: check.Status ?? 'critical',
      output: check.Output ?? '',
    });
  }

  #delete(entries: Map<string, { owner: string }>, id: string, writer: WriterIdentity): void {
    const current = entries.get(id);
    if (!current) return;
    if (writer.owner !== '' && current.owner !== writer.owner) throw new AppError('notOwner', `${id} is not yours`);
    entries.delete(id);
  }
}

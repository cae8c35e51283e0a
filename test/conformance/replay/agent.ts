import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../support/eventually.ts';
import { freePort } from '../../support/processes/free-port.ts';
import { removeFolder, tempFolder } from '../../support/processes/temp-folder.ts';
import { startTied, type TiedProcess } from '../../support/processes/tied-process.ts';
import type { Context } from './context.ts';
import { sendHttp } from './http-step.ts';
import { isObject } from './matching.ts';
import type { Scenario } from './step.ts';

const BIN = process.env.LICTOR_BIN ?? fileURLToPath(new URL('../../../bin/lictor', import.meta.url));
const READY_MS = 40_000;

/** One server on loopback with its own folder and ports, as the scenarios were recorded with. */
export class ScenarioAgent {
  readonly context: Context;
  readonly #process: TiedProcess;
  readonly #folder: string;

  private constructor(process: TiedProcess, folder: string, context: Context) {
    this.#process = process;
    this.#folder = folder;
    this.context = context;
  }

  static async start(scenario: Scenario): Promise<ScenarioAgent> {
    const folder = tempFolder('conformance');
    const [http = 0, dns = 0, grpc = 0, serf = 0, rpc = 0, wan = 0] = await Promise.all(
      Array.from({ length: 6 }, freePort),
    );
    const config = {
      node_name: 'conformance-node',
      datacenter: 'dc1',
      data_dir: join(folder, 'data'),
      server: true,
      bootstrap_expect: 1,
      bind_addr: '127.0.0.1',
      client_addr: '127.0.0.1',
      disable_update_check: true,
      log_level: 'warn',
      performance: { raft_multiplier: 1 },
      connect: { enabled: true },
      ports: { http, dns, grpc, serf_lan: serf, serf_wan: wan, server: rpc, grpc_tls: -1 },
      ...scenario.config,
    };
    const file = join(folder, 'config.json');
    writeFileSync(file, JSON.stringify(config));
    const process = await startTied({
      name: `agent of ${scenario.id}`,
      command: BIN,
      args: ['agent', '-config-file', file],
      logFile: join(folder, 'agent.log'),
      removeOnDeath: [folder],
    });
    const variables = new Map([['dir', folder]]);
    if (scenario.token !== undefined) variables.set('token', scenario.token);
    const context = {
      http: { host: '127.0.0.1', port: http },
      dnsPort: dns,
      variables,
      bound: new Map<string, string>(),
      exchanges: [],
    };
    const agent = new ScenarioAgent(process, folder, context);
    try {
      await eventually(() => agent.#ready(scenario), { withinMs: READY_MS });
    } catch (cause) {
      const tail = process.logTail();
      await agent.stop();
      throw new Error(`the agent of ${scenario.id} did not become ready:\n${tail}`, { cause });
    }
    return agent;
  }

  async stop(): Promise<void> {
    await this.#process.kill();
    removeFolder(this.#folder);
  }

  /** There is a leader, and the agent's node is in the catalog with its addresses and as healthy. */
  async #ready(scenario: Scenario): Promise<boolean> {
    if (!this.#process.running) throw new Error('it has ended');
    const get = async (path: string) => (await sendHttp(this.context, { http: `GET ${path}` })).json;
    if (!(await get('/v1/status/leader'))) return false;
    if (scenario.ready === 'leader') return true;
    const self = (await get('/v1/agent/self')) as { Config?: Record<string, string> } | undefined;
    const { NodeName = '', NodeID = '', Datacenter = '' } = self?.Config ?? {};
    const known = { node: NodeName, node_id: NodeID, dc: Datacenter };
    for (const [name, value] of Object.entries(known)) if (value !== '') this.context.variables.set(name, value);
    const nodes = await get('/v1/catalog/nodes');
    const own = Array.isArray(nodes) && nodes.find((node) => isObject(node) && node.Node === NodeName);
    if (!own?.TaggedAddresses) return false;
    const checks = await get(`/v1/health/node/${NodeName}`);
    return Array.isArray(checks) && checks.some((check) => isObject(check) && check.Status === 'passing');
  }
}

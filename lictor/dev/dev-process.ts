import type { AgentConfig } from '../../agent/config.ts';
import { RunGroup, type Runnable } from '../../core/lifecycle.ts';
import { composeFileOperator } from '../../operator/file-composition.ts';
import type { DeclaredObject } from '../../operator/manifests/manifest-folder.ts';
import { composeServerAgent, type NodePlace, type ServerAgentDeps } from '../server-agent.ts';
import { NOT_LOOKED_AT, type ServiceView } from './screen.ts';

/** Every role in one process: what runs, where it listens, and what the screen shows. */
export interface DevProcess {
  readonly runnable: Runnable;
  httpAddress(): { host: string; port: number };
  dnsAddress(): { host: string; port: number };
  /** The declared Services with their instances as the catalog has them. */
  services(): Promise<ServiceView[]>;
  /** What is wrong with the manifests now, and which objects could not be brought into the catalog. */
  problems(): readonly string[];
}

/** The one that a folder of manifests declares for. */
const NAMESPACE = 'default';

function readyOf(object: DeclaredObject) {
  return object.status?.conditions?.find((condition) => condition.type === 'Ready');
}

/** Why an object could not be brought into the catalog, if so. */
function notReady(object: DeclaredObject): string[] {
  const ready = readyOf(object);
  if (ready?.status !== 'False') return [];
  return [`${object.kind} ${object.metadata.name}: ${ready.reason}: ${ready.message}`];
}

function serviceNameOf({ metadata, spec }: DeclaredObject): string {
  return ('serviceName' in spec && spec.serviceName) || metadata.name || '';
}

/** What the status of the Service with this name says; undefined when none is declared. */
function whyNone(objects: readonly DeclaredObject[], name: string): string | undefined {
  const isIt = (object: DeclaredObject) => serviceNameOf(object).toLowerCase() === name.toLowerCase();
  const found = objects.find((object) => object.kind === 'Service' && isIt(object));
  return found && (readyOf(found)?.message ?? NOT_LOOKED_AT);
}

function keptText(path: string): string {
  return `${path}: the last good version still serves; it is replaced once this one is right`;
}

function heldText(sweep: string): string {
  return `${sweep}; they are kept; if it is right that they go, start again with -max-sweep-share=1`;
}

/** Puts a server-mode agent and the reconcilers of a folder of manifests into one process. */
export function composeDev(
  options: { readonly folder: string; readonly maxSweepShare?: number },
  config: AgentConfig,
  place: NodePlace,
  deps: ServerAgentDeps,
): DevProcess {
  const whyNoInstance = (namespace: string, name: string) =>
    namespace === NAMESPACE ? whyNone(operator.manifests.objects(), name) : undefined;
  const roles = composeServerAgent(config, place, { ...deps, caOnDemand: true, whyNoInstance });
  const operator = composeFileOperator({
    ...deps,
    ...options,
    catalogClient: roles.server.catalogClient,
    intentionClient: roles.server.intentionClient,
    externalNode: config.nodeName,
    log: deps.log.child({ part: 'operator' }),
  });
  return {
    // The manifests are read last: what they declare needs a catalog, and its checks an agent.
    runnable: new RunGroup(deps, { name: 'dev', members: [roles.runnable, operator.runnable] }),
    httpAddress: () => roles.address('http')!,
    dnsAddress: () => roles.address('dns')!,
    problems: () => [
      ...operator.manifests.problems,
      ...operator.manifests.kept.map(keptText),
      ...operator.heldSweeps().map(heldText),
      ...operator.manifests.objects().flatMap(notReady),
    ],
    async services() {
      const declared = operator.manifests.objects().filter((object) => object.kind === 'Service');
      const reader = roles.server.catalogReader;
      return Promise.all(
        declared.map(async (object) => {
          const name = serviceNameOf(object);
          const { entries } = await reader.service(NAMESPACE, name);
          return { name, entries, reason: readyOf(object)?.message };
        }),
      );
    },
  };
}

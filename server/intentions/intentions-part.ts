import { type IntentionReads, intentionRoutes } from '../../api/routes/intention-routes.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import type { Intentions } from '../ca/authorize.ts';
import type { ConfigPart } from '../config-entries/config-part.ts';
import { configTopic } from '../config-entries/config-table.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { evaluateIntention, type IntentionPolicy } from './evaluate-intention.ts';
import { IntentionIndex } from './intention-index.ts';
import { IntentionWriter } from './intention-writer.ts';

/** Intentions, and what the certificate authority asks of them. */
export interface IntentionsPart extends ServerPart {
  readonly intentions: Intentions;
  readonly index: IntentionIndex;
}

export function intentionsPart(
  deps: PartDeps,
  { table, writer }: Pick<ConfigPart, 'table' | 'writer'>,
  options: { defaultPolicy: IntentionPolicy },
): IntentionsPart {
  const { state } = deps;
  const index = new IntentionIndex();
  table.addIndex(index);
  const all = [configTopic.kind('service-intentions')];
  const reads: IntentionReads = {
    list: () => liveRead(state, all, () => index.list()),
    match(by, names) {
      if (by === 'source') return liveRead(state, all, () => names.map((name) => index.from(name)));
      const topics = [...names, '*'].map((name) => configTopic.entry('service-intentions', name));
      return liveRead(state, topics, () => names.map((name) => index.to(name)));
    },
    exact(source, destination) {
      state.assertLoaded();
      return index.exact(source, destination);
    },
    byId(id) {
      state.assertLoaded();
      return index.byId(id);
    },
    isAllowed(source, destination) {
      state.assertLoaded();
      return evaluateIntention(source, index.to(destination), options.defaultPolicy).result === 'allow';
    },
  };
  return {
    index,
    routes: intentionRoutes(deps.reads, reads, new IntentionWriter({ ...deps, index, writer })),
    intentions: {
      // Who shows a certificate of this cluster is none of a peer's services.
      to: (_namespace, service) =>
        index
          .to(service)
          .filter((one) => one.SourcePeer === undefined)
          .map((one) => ({
            sourceNamespace: one.SourceNS,
            source: one.SourceName,
            destinationNamespace: one.DestinationNS,
            destination: one.DestinationName,
            action: one.Action,
            permissions: one.Permissions?.length ?? 0,
            precedence: one.Precedence,
          })),
    },
  };
}

import type { LiveRead } from '../../api/routes/catalog-backend.ts';
import type { NamespaceBackend } from '../../api/routes/namespace-routes.ts';
import { DEFAULT_NAMESPACE } from '../../api/shapes/catalog.ts';
import type { Namespace, NamespaceContent } from '../../api/shapes/namespace.ts';
import { AppError } from '../../core/errors.ts';
import { liveRead } from '../backend/catalog-reads.ts';
import { PlanBuilder } from '../catalog/plan.ts';
import type { CatalogState } from '../catalog/state.ts';
import type { StateWriter } from '../catalog/state-writer.ts';
import { topicOf } from '../catalog/topics.ts';
import type { NamespaceTable } from './namespace-table.ts';

/** Consul's words for the namespace that is always there. */
const BUILT_IN = 'Builtin Default Namespace';

type NamespacesInUse = ReturnType<CatalogState['namespacesInUse']>;

/** What the segments of tables are called for people. */
const NAMES: Readonly<Record<string, string>> = { service: 'services', kv: 'keys', session: 'sessions' };

/** Lists, describes and removes namespaces. One exists while it is described or holds something. */
export class Namespaces implements NamespaceBackend {
  readonly #deps: { state: CatalogState; writer: Pick<StateWriter, 'write'>; table: NamespaceTable };

  constructor(deps: { state: CatalogState; writer: Pick<StateWriter, 'write'>; table: NamespaceTable }) {
    this.#deps = deps;
  }

  list(): LiveRead<readonly Namespace[]> {
    return liveRead(this.#deps.state, [topicOf.namespaces], () => {
      const inUse = this.#deps.state.namespacesInUse();
      return this.#names(inUse).map((name) => this.#shape(name, inUse));
    });
  }

  named(name: string): LiveRead<Namespace | undefined> {
    return liveRead(this.#deps.state, [topicOf.namespaces], () => {
      const inUse = this.#deps.state.namespacesInUse();
      return this.#names(inUse).includes(name) ? this.#shape(name, inUse) : undefined;
    });
  }

  #names(inUse: NamespacesInUse): string[] {
    const names = new Set([DEFAULT_NAMESPACE, ...inUse.keys()]);
    for (const { shape } of this.#deps.table.entries()) names.add(shape.Name);
    return [...names].sort();
  }

  async declare(content: NamespaceContent): Promise<Namespace> {
    const { state, writer, table } = this.#deps;
    await writer.write(() => {
      const plan = new PlanBuilder();
      const known = table.get(content.Name)?.stored;
      plan.putChanged(
        state.keys.table(table.segment, content.Name),
        known && { ...known, record: known.record },
        content,
      );
      return plan.build();
    });
    return this.#shape(content.Name, state.namespacesInUse());
  }

  async remove(name: string): Promise<void> {
    const { state, writer, table } = this.#deps;
    await writer.write(() => {
      const held = state.namespacesInUse().get(name);
      if (held) {
        const what = held.holds.map((segment) => NAMES[segment] ?? segment).join(', ');
        throw new AppError('conflict', `the namespace ${JSON.stringify(name)} is not empty: remove its ${what} first`);
      }
      const plan = new PlanBuilder();
      plan.delete(state.keys.table(table.segment, name), table.get(name)?.stored);
      return plan.build();
    });
  }

  /** One that nobody has described is as old as what it holds, the built-in one as the catalog. */
  #shape(name: string, inUse: NamespacesInUse): Namespace {
    const described = this.#deps.table.get(name)?.shape;
    if (described) return described;
    const builtIn = name === DEFAULT_NAMESPACE;
    const { base } = this.#deps.state;
    const since = builtIn ? base : (inUse.get(name)?.since ?? base);
    return { Name: name, Description: builtIn ? BUILT_IN : '', Meta: null, CreateIndex: since, ModifyIndex: since };
  }
}

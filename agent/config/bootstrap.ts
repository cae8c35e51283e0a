import type { AgentConfig } from './agent-config.ts';

/** What cannot be together in how a server begins, in Consul's words where it has them: the key, and the reason. */
export function bootstrapProblem(
  given: Pick<AgentConfig, 'mode' | 'bootstrap' | 'bootstrapExpect'>,
): { readonly key: string; readonly problem: string } | undefined {
  const { mode, bootstrap, bootstrapExpect: expect } = given;
  if (expect < 0) return problem('bootstrap_expect', `${expect} must be greater than or equal to zero`);
  if (mode === 'client' && bootstrap) return problem('bootstrap', 'needs server mode (flag -server)');
  if (mode === 'client' && expect > 0) return problem('bootstrap_expect', 'needs server mode (flag -server)');
  // One server is what each of them means alone.
  if (expect <= 1) return undefined;
  if (mode === 'dev') return problem('bootstrap_expect', "'bootstrap_expect > 0' not allowed in dev mode");
  if (!bootstrap) return undefined;
  return problem('bootstrap_expect', "'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive");
}

function problem(key: string, text: string): { key: string; problem: string } {
  return { key, problem: text };
}

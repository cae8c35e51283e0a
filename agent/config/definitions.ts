import { decodeBody, type Schema } from '../../api/decode.ts';
import {
  AGENT_CHECK,
  type AgentCheckInput,
  type CheckPolicy,
  normalizeAgentCheck,
} from '../../api/shapes/agent-check.ts';
import { AGENT_SERVICE, type AgentServiceInput, normalizeAgentService } from '../../api/shapes/agent-service.ts';
import { checkNameLength } from '../../api/shapes/name-limit.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { AgentConfig } from './agent-config.ts';
import { type Declared, type DeclaredReader, declaredError } from './declared.ts';

/** The services of a configuration, with the rules of the API. `reader` keeps what is wrong, naming file, service and field. */
export function declaredServices(
  reader: DeclaredReader,
  definitions: readonly Declared[],
  policy: CheckPolicy,
): AgentConfig['services'] {
  return reader.each(definitions, (one) =>
    readOne(one, AGENT_SERVICE, withListedChecks(one.value), (input) =>
      normalizeAgentService(input as AgentServiceInput, policy),
    ),
  );
}

/** The checks of a configuration. `reader` keeps what is wrong, naming file, check and field. */
export function declaredChecks(
  reader: DeclaredReader,
  definitions: readonly Declared[],
  policy: CheckPolicy,
): AgentConfig['checks'] {
  return reader.each(definitions, (one) =>
    readOne(one, AGENT_CHECK, one.value, (value) => {
      const input = value as AgentCheckInput;
      const name = input.Name || input.ID || input.CheckID;
      if (!name) throw new AppError('badRequest', 'name must be given');
      if (!input.ID && !input.CheckID) checkNameLength(name, 'Name');
      return { check: normalizeAgentCheck(input, { checkId: name, name }, policy), namespace: input.Namespace };
    }),
  );
}

/** `check` blocks of HCL come as a list: one is the check, several are its `checks`. */
function withListedChecks(definition: object): object {
  const entries = Object.entries(definition);
  const listed = entries.find(([key, value]) => key.toLowerCase() === 'check' && Array.isArray(value));
  if (!listed) return definition;
  const others = entries.find(([key]) => key.toLowerCase() === 'checks')?.[1] as unknown;
  const rest = entries.filter(([key]) => !['check', 'checks'].includes(key.toLowerCase()));
  return {
    ...Object.fromEntries(rest),
    checks: [...(listed[1] as unknown[]), ...(Array.isArray(others) ? others : [])],
  };
}

/** Reads a definition with the rules of the API, whose field names match without regard to case and underscores. */
function readOne<T>(one: Declared, schema: Schema, definition: object, normalize: (input: unknown) => T): T {
  try {
    return normalize(decodeBody(schema, Buffer.from(JSON.stringify(definition))));
  } catch (error) {
    throw declaredError(one, errorText(error).replace(/^Request decode failed: /, ''));
  }
}

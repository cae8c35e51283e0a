import { decodeBody, type Schema } from '../../api/decode.ts';
import {
  AGENT_CHECK,
  type AgentCheckInput,
  type CheckPolicy,
  normalizeAgentCheck,
} from '../../api/shapes/agent-check.ts';
import { AGENT_SERVICE, type AgentServiceInput, normalizeAgentService } from '../../api/shapes/agent-service.ts';
import { AppError, errorText } from '../../core/errors.ts';
import type { AgentConfig } from './agent-config.ts';
import { configError } from './config-text.ts';

/** The services of a configuration, with the rules of the API. @throws AppError `config` naming service and field. */
export function declaredServices(definitions: readonly object[], policy: CheckPolicy): AgentConfig['services'] {
  return definitions.map((definition, at) =>
    declared(`services[${at}]`, AGENT_SERVICE, withListedChecks(definition), (input) =>
      normalizeAgentService(input as AgentServiceInput, policy),
    ),
  );
}

/** The checks of a configuration. @throws AppError `config` naming check and field. */
export function declaredChecks(definitions: readonly object[], policy: CheckPolicy): AgentConfig['checks'] {
  return definitions.map((definition, at) =>
    declared(`checks[${at}]`, AGENT_CHECK, definition, (value) => {
      const input = value as AgentCheckInput;
      const name = input.Name || input.ID || input.CheckID;
      if (!name) throw new AppError('badRequest', 'name must be given');
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
function declared<T>(where: string, schema: Schema, definition: object, normalize: (input: unknown) => T): T {
  try {
    return normalize(decodeBody(schema, Buffer.from(JSON.stringify(definition))));
  } catch (error) {
    throw configError('configuration', where, errorText(error).replace(/^Request decode failed: /, ''));
  }
}

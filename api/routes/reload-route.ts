import { AppError } from '../../core/errors.ts';
import type { Route } from '../http/route.ts';
import { DONE } from './agent-answers.ts';

/** What reloads an agent's configuration. */
export interface ReloadBackend {
  /** Resolves when it is in force. @throws AppError `config` when it is wrong; then the old one stays as it was. */
  reload(): Promise<void>;
}

/** PUT /v1/agent/reload: empty on success, the error of the configuration otherwise. */
export function reloadRoute(backend: ReloadBackend): Route {
  return {
    method: 'PUT',
    path: '/v1/agent/reload',
    handle: async () => {
      try {
        await backend.reload();
        return DONE;
      } catch (error) {
        // The request is right, the agent's files are not.
        if (error instanceof AppError && error.code === 'config') return { status: 500, text: error.message };
        throw error;
      }
    },
  };
}

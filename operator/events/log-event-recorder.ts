import type { Logger } from '../../core/log.ts';
import type { KubeObject } from '../kube-api/kube-api.ts';
import { keyOf } from '../object-source.ts';
import type { EventRecorder } from './event-recorder.ts';

/** Events as log lines, where there is no API server. */
export class LogEventRecorder implements EventRecorder {
  readonly #log: Logger;

  constructor(deps: { log: Logger }) {
    this.#log = deps.log;
  }

  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#log[type === 'Normal' ? 'info' : 'warn']('event', { kind: object.kind, key: keyOf(object), reason, message });
  }
}

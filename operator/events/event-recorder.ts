import type { KubeObject } from '../kube-api/kube-api.ts';

/** Tells people what happened to an object. Never blocks and never fails its caller. */
export interface EventRecorder {
  /** `reason` is one word in CamelCase, `message` a sentence. */
  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void;
}

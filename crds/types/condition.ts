// Generated from crds/*.yaml by `make crds`; change that file instead.

/** One aspect of the object's state. */
export interface Condition {
  /** Which aspect, in CamelCase. */
  type: string;
  /** Whether it holds. */
  status: 'True' | 'False' | 'Unknown';
  /** The metadata.generation that this condition is about. */
  observedGeneration?: number;
  /** When status changed last. */
  lastTransitionTime: string;
  /** Why, as one word in CamelCase for programs. */
  reason: string;
  /** Why, in a sentence for people. */
  message: string;
}

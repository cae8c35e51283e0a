import type { StructuralSchema } from '../structural-schema.ts';

const LABEL_VALUE = '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$';

/** What the API server demands of the metadata of any object (Kubernetes API conventions, "Metadata"). */
export const OBJECT_META_SCHEMA: StructuralSchema = {
  type: 'object',
  description: 'Standard object metadata.',
  required: ['name'],
  properties: {
    name: {
      type: 'string',
      description: 'Name of the object: a DNS name in lower case.',
      minLength: 1,
      maxLength: 253,
      pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
    },
    namespace: {
      type: 'string',
      description: 'Namespace of the object: a DNS label in lower case.',
      minLength: 1,
      maxLength: 63,
      pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
    },
    labels: {
      type: 'object',
      description: 'Labels.',
      additionalProperties: {
        type: 'string',
        description: 'At most 63 letters, digits, "-", "_" and "."; a number or a boolean must be quoted.',
        maxLength: 63,
        pattern: LABEL_VALUE,
      },
    },
    annotations: {
      type: 'object',
      description: 'Annotations.',
      additionalProperties: { type: 'string', description: 'Any text; a number or a boolean must be quoted.' },
    },
    generateName: { type: 'string', description: 'Not used here.' },
    uid: { type: 'string', description: 'Unique id of the object.' },
    resourceVersion: { type: 'string', description: 'Set by the API server.' },
    generation: { type: 'integer', description: 'Set by the API server.' },
    creationTimestamp: { type: 'string', description: 'Set by the API server.' },
    deletionTimestamp: { type: 'string', description: 'Set by the API server.' },
    deletionGracePeriodSeconds: { type: 'integer', description: 'Set by the API server.' },
    finalizers: { type: 'array', description: 'Finalizers.', items: { type: 'string', description: 'One finalizer.' } },
  },
};

/** Fields that the API server writes into what `kubectl get -o yaml` shows; they mean nothing in a manifest. */
export const SERVER_META_FIELDS = ['managedFields', 'ownerReferences', 'selfLink'] as const;

import type { InstanceRecord } from '../../server/catalog/records.ts';

/** An instance as it is stored: of `web` on the node `n`, and nobody's, where nothing else is said. */
export function instanceRecord(
  id: string,
  { service = 'web', ...more }: Partial<Omit<InstanceRecord, 'content'>> & { readonly service?: string } = {},
): InstanceRecord {
  return {
    node: 'n',
    namespace: 'default',
    owner: '',
    ref: '',
    hash: '',
    content: {
      ID: id,
      Service: service,
      Tags: [],
      Address: '',
      Meta: null,
      Port: 80,
      Weights: { Passing: 1, Warning: 1 },
      EnableTagOverride: false,
    },
    ...more,
  };
}

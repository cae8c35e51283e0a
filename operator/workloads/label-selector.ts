import type { ServiceSpecSelector } from '../../crds/types/index.ts';

/** Whether labels fulfil a selector: all of matchLabels and of matchExpressions (Kubernetes docs, "Labels and Selectors"). */
export function selects(selector: ServiceSpecSelector, labels: Readonly<Record<string, string>> = {}): boolean {
  const labelOf = (name: string) => (Object.hasOwn(labels, name) ? labels[name] : undefined);
  for (const [name, value] of Object.entries(selector.matchLabels ?? {})) if (labelOf(name) !== value) return false;
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labelOf(key);
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      default:
        return false;
    }
  });
}

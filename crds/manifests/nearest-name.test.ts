import { nearestName } from './nearest-name.ts';

const FIELDS = ['serviceName', 'selector', 'kubernetesService', 'instances', 'ports', 'tags', 'meta'];

describe('nearestName', () => {
  it.each([
    ['prots', 'ports'],
    ['port', 'ports'],
    ['Tags', 'tags'],
    ['servicename', 'serviceName'],
    ['kuberneteService', 'kubernetesService'],
    ['metta', 'meta'],
  ])('takes %s for %s', (name, meant) => {
    expect(nearestName(name, FIELDS)).toBe(meant);
  });

  it.each(['mesh', 'x', 'loadBalancing', ''])('takes "%s" for none of them', (name) => {
    expect(nearestName(name, FIELDS)).toBeUndefined();
  });
});

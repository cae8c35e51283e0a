import type { HealthEntry } from '../../api/shapes/catalog.ts';
import { renderScreen, type ServiceView } from './screen.ts';

const check = (Status: string, Output: string) => ({ Status, Output, Notes: '' });
const entry = (ID: string, Status: string, Output = '') =>
  ({
    Node: { Address: '10.0.0.1' },
    Service: { ID, Address: '', Port: 80 },
    Checks: [check(Status, Output)],
  }) as unknown as HealthEntry;

const shown = (...services: ServiceView[]) =>
  renderScreen({ title: 'title', services, problems: [], tryThese: [], footer: 'footer' }, false).split('\n');

it('says of each service how many instances are answered, and of each that is not why', () => {
  expect(
    shown({ name: 'web', entries: [entry('web-1', 'passing'), entry('web-2', 'critical', 'refused\nmore')] }),
  ).toEqual([
    'title',
    '',
    'web  1/2 answered',
    '  ● web-1                    10.0.0.1:80            passing',
    '  ○ web-2                    10.0.0.1:80            critical  refused',
    '',
    'footer',
    '',
  ]);
});

it('says of a service without instances why it has none', () => {
  const reason = 'there is no ready Pod';
  expect(shown({ name: 'web', entries: [], reason })).toContain('web  no instance: there is no ready Pod');
  expect(shown({ name: 'web', entries: [] })).toContain('web  no instance: it was not looked at yet');
  expect(shown()).toContain('No Service declared yet.');
});

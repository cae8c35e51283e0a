import type { ServiceResolver } from '../../api/shapes/config-entry/entry.ts';
import { AppError } from '../../core/errors.ts';
import type { ChainEntries } from './chain-entries.ts';
import { type TargetPlace, targetId } from './chain-target.ts';

/**
 * Follows redirects and default subsets to where a place really is.
 * @throws AppError `badRequest` for redirects in a circle, and for a subset that is not there.
 */
export function resolvePlace(
  from: TargetPlace,
  entries: ChainEntries,
  datacenter: string,
): { place: TargetPlace; resolver: ServiceResolver | undefined } {
  let place = from;
  const passed: string[] = [];
  for (;;) {
    // What is elsewhere is resolved elsewhere; only its own name is known here.
    if (place.peer !== '') return { place, resolver: undefined };
    const id = targetId(place);
    if (passed.includes(id)) {
      throw new AppError('badRequest', `detected circular resolver redirect: [${[...passed, id].join(', ')}]`);
    }
    passed.push(id);
    const resolver = entries.resolver(place.service);
    const redirect = resolver?.Redirect;
    if (redirect) {
      const elsewhere = redirect.Service !== undefined && redirect.Service !== place.service;
      place = {
        service: redirect.Service ?? place.service,
        subset: redirect.ServiceSubset ?? (elsewhere ? '' : place.subset),
        datacenter: redirect.Datacenter ?? place.datacenter,
        peer: redirect.Peer ?? '',
      };
      // To itself in another datacenter: it has arrived.
      if (!elsewhere && redirect.ServiceSubset === undefined && place.datacenter !== datacenter)
        return { place, resolver };
      continue;
    }
    if (place.subset === '' && resolver?.DefaultSubset !== undefined) {
      place = { ...place, subset: resolver.DefaultSubset };
      continue;
    }
    if (place.subset !== '' && !Object.hasOwn(resolver?.Subsets ?? {}, place.subset)) {
      throw new AppError('badRequest', `service "${place.service}" does not have a subset named "${place.subset}"`);
    }
    return { place, resolver };
  }
}

import { virtualAddressRoutes } from '../../api/routes/virtual-address-routes.ts';
import type { PartDeps, ServerPart } from '../parts.ts';
import { ManualAddressTable } from './manual-address-table.ts';
import { ManualAddresses } from './manual-addresses.ts';

/** Addresses that services are given by hand. */
export interface ManualAddressPart extends ServerPart {
  readonly table: ManualAddressTable;
}

export function manualAddressPart(deps: PartDeps): ManualAddressPart {
  const table = new ManualAddressTable();
  return { tables: [table], routes: virtualAddressRoutes(new ManualAddresses({ ...deps, table })), table };
}

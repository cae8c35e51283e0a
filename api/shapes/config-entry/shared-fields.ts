import {
  BOOL,
  INT,
  listOf,
  NANOSECONDS,
  OBJECT,
  OPTIONAL_INT,
  pointer,
  STRING,
  STRING_MAP,
  STRINGS,
  TENANCY,
  value,
} from './field-type.ts';

/** Fields that several kinds have. */
export const MESH_GATEWAY = value({ Mode: STRING });
export const TRANSPARENT_PROXY = value({ OutboundListenerPort: INT, DialedDirectly: BOOL });
export const EXPOSE = value({
  Checks: BOOL,
  Paths: listOf(
    value({ ListenerPort: INT, Path: STRING, LocalPathPort: INT, Protocol: STRING, ParsedFromCheck: BOOL }),
  ),
});
export const ENVOY_EXTENSIONS = listOf(
  value({ Name: STRING, Required: BOOL, Arguments: OBJECT, ConsulVersion: STRING, EnvoyVersion: STRING }),
);
export const PASSIVE_HEALTH_CHECK = pointer({
  Interval: NANOSECONDS,
  MaxFailures: INT,
  EnforcingConsecutive5xx: OPTIONAL_INT,
  MaxEjectionPercent: OPTIONAL_INT,
  BaseEjectionTime: NANOSECONDS,
});
export const HEADER_CHANGES = pointer({ Add: STRING_MAP, Set: STRING_MAP, Remove: STRINGS });
export const LOCALITY = pointer({ Mode: STRING });
export const FAILOVER_POLICY = pointer({ Mode: STRING, Regions: STRINGS });
export const TENANT = { Namespace: TENANCY, Partition: TENANCY };
export const JWT_REQUIREMENT = pointer({
  Providers: listOf(value({ Name: STRING, VerifyClaims: listOf(pointer({ Path: STRINGS, Value: STRING })) })),
});

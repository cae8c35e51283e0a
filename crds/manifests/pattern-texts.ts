const DNS_LABEL = 'a DNS label: lower case letters, digits and "-", with a letter or digit at both ends';
const DNS_NAME = 'a DNS name in lower case';
const LABEL_VALUE = 'a label value: letters, digits, "-", "_" and ".", with a letter or digit at both ends';
const GO_DURATION = 'a duration such as 10s or 1m30s';
const PORT_NAME = 'a port name: lower case letters, digits and single "-", with at least one letter';

/**
 * What the patterns of our schemas ask for, in words. A test holds that every pattern has its words; one without them
 * would be shown as it is.
 */
const PATTERN_TEXTS: ReadonlyMap<string, string> = new Map([
  ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', DNS_LABEL],
  ['^[a-z]([-a-z0-9]*[a-z0-9])?$', `${DNS_LABEL}, and a letter first`],
  ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$', DNS_NAME],
  ['^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$', LABEL_VALUE],
  [
    '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$',
    'a label name: letters, digits, "-", "_" and ".", after an optional prefix as in example.org/name',
  ],
  ['^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$', 'a name of letters, digits, "-" and "."'],
  ['^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?$', 'an id of letters, digits, "-", "_", "." and ":"'],
  ['^([a-z0-9]+-)*[a-z0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$', PORT_NAME],
  ['^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h))+$', GO_DURATION],
  ['^/[!"$-~]*$', 'a path: a "/" and then printable ASCII without spaces and "#" (percent-encode the rest)'],
  [
    '^([*]|[a-z0-9]([-._a-z0-9]*[a-z0-9])?)$',
    'the name of a service in lower case (letters, digits, "-", "_", "."), or "*"',
  ],
  ['^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$', `${DNS_LABEL}; or empty`],
  ['^:?[A-Za-z0-9!#$%&*+.^_|~-]+$', 'the name of an HTTP header'],
  ['^[!-~]+$', 'printable ASCII without spaces'],
  ['^[\\t -~]*$', 'printable ASCII without line breaks'],
]);

/** What a pattern asks for, to follow the words "must be". */
export function patternText(pattern: string): string {
  return PATTERN_TEXTS.get(pattern) ?? `a text that matches ${pattern}`;
}

/** Whether the pattern has words of its own. */
export function hasPatternText(pattern: string): boolean {
  return PATTERN_TEXTS.has(pattern);
}

/** What one wheel asks of another: `nvidia-nccl-cu12<3.0,>=2.27.7`. */
export interface Requirement {
  project: string;
  /** Comma-separated version clauses, all of which must hold; empty when any version will do. */
  specifier: string;
}

const numbers = (version: string) => version.split('.').map((part) => Number.parseInt(part, 10) || 0);

/** Orders released versions by their numbers; `1.2` equals `1.2.0`. */
export const compareVersions = (a: string, b: string): number => {
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
};

const clauseHolds = (version: string, clause: string): boolean => {
  const [, operator, wanted = ''] = /^(~=|==|!=|<=|>=|<|>)\s*([0-9][^\s=]*)$/.exec(clause) ?? [];
  const prefix = wanted.replace(/\.\*$/, '');
  const within = `${version}.`.startsWith(`${prefix}.`);
  const order = compareVersions(version, prefix);
  switch (operator) {
    case '==':
      return wanted.endsWith('.*') ? within : order === 0;
    case '!=':
      return wanted.endsWith('.*') ? !within : order !== 0;
    case '<=':
      return order <= 0;
    case '>=':
      return order >= 0;
    case '<':
      return order < 0;
    case '>':
      return order > 0;
    case '~=':
      return order >= 0 && `${version}.`.startsWith(`${prefix.split('.').slice(0, -1).join('.')}.`);
    default:
      throw new Error(`version clause ${JSON.stringify(clause)} is not understood`);
  }
};

/** True when a released version meets every clause (PEP 440; pre-releases are not for us). */
export const satisfies = (version: string, specifier: string): boolean =>
  /^\d+(\.\d+)*(\.post\d+)?$/.test(version) &&
  specifier
    .split(',')
    .filter(Boolean)
    .every((clause) => clauseHolds(version, clause.trim()));

/** The wheels that one extra of a package asks for, from the Requires-Dist lines of its METADATA. */
export const extraRequirements = (metadata: string, extra: string): Requirement[] => {
  const found: Requirement[] = [];
  for (const line of metadata.split(/\r?\n/)) {
    if (line === '') break;
    const [, text = '', marker = ''] = /^Requires-Dist:\s*([^;]+?)\s*(?:;\s*(.*))?$/.exec(line) ?? [];
    if (!new RegExp(`extra\\s*==\\s*["']${extra}["']`).test(marker)) continue;
    const [, project = '', rest = ''] = /^([A-Za-z0-9._-]+)\s*\(?([^)]*)\)?$/.exec(text) ?? [];
    found.push({
      project: project.toLowerCase().replace(/[-_.]+/g, '-'),
      specifier: rest.replace(/\s/g, ''),
    });
  }
  return found;
};

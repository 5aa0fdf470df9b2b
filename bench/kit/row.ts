/** What a row of the table is: something measured, against something bare in the same run, with an aim. Types and their words. */

/** `quick`: enough to see a gross regression, within a few seconds a row. */
export type Scale = 'full' | 'quick';

export type Unit = 'ms' | 'µs' | '/s' | 'MB' | 'kB' | '% of a core' | '%';

export interface Finding {
  /** Stable from run to run: the history is kept by it. */
  readonly key: string;
  readonly what: string;
  readonly figure: number;
  readonly unit: Unit;
  readonly better: 'less' | 'more';
  readonly against: { readonly what: string; readonly figure: number } | null;
  /** Null: shown for comparison. */
  readonly aim: Aim | null;
}

/** `difference` and `ratio` are those of the figure to what it is measured against. */
export interface Aim {
  readonly of: 'figure' | 'difference' | 'ratio';
  readonly limit: number;
}

export interface Measured {
  readonly findings: readonly Finding[];
  /** What holds for these figures only, such as a stand-in for an engine. */
  readonly remarks: readonly string[];
}

export interface Row {
  readonly id: string;
  readonly title: string;
  /** How it is measured: for the document. */
  readonly method: string;
  /** Why aims that are known to be missed are missed, as profiled; null: none is known to be. */
  readonly limits: string | null;
  /** Part of `--quick`. */
  readonly quick: boolean;
  measure(scale: Scale): Promise<Measured>;
}

export type Verdict = 'met' | 'missed' | 'shown';

export const ratioOf = ({ figure, against }: Finding): number | null => (against === null || against.figure === 0 ? null : figure / against.figure);

export const verdictOf = (finding: Finding): Verdict => {
  const { aim, better } = finding;
  if (aim === null) return 'shown';
  const reached = reachedOf(finding, aim);
  return (better === 'less' ? reached <= aim.limit : reached >= aim.limit) ? 'met' : 'missed';
};

const reachedOf = (finding: Finding, { of }: Aim): number => {
  if (of === 'figure') return finding.figure;
  const ratio = ratioOf(finding);
  if (finding.against === null || ratio === null) throw new Error(`${finding.key}: an aim of a ${of} needs something to measure against`);
  return of === 'ratio' ? ratio : finding.figure - finding.against.figure;
};

export const aimText = ({ aim, better, unit }: Finding): string => {
  if (aim === null) return '';
  const sign = better === 'less' ? '≤' : '≥';
  if (aim.of === 'ratio') return `${sign} ${aim.limit} ×`;
  return aim.of === 'difference' ? `${sign} ${aim.limit} ${unit} more` : `${sign} ${aim.limit} ${unit}`;
};

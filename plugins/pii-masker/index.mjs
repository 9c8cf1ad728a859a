import { detect, KINDS, replaceSpans } from './detect.mjs';
import { STYLES } from './mask.mjs';

/** Positions are told for this many findings; all of them are masked and counted. */
const MAX_LISTED = 1000;

/** Masks personal data in `inputData.text`, or else in `inputData.user_message`. */
export function execute({ inputData, config }, host) {
  const text = inputData.text ?? inputData.user_message;
  if (text === undefined) return { summary: 'No text to mask.', total: 0 };
  const findings = detect(text, inputData.kinds ?? KINDS);
  const write = STYLES[inputData.style ?? config?.style ?? 'label']();
  const masked = replaceSpans(text, findings, ({ kind, start, end }) => write(kind, text.slice(start, end)));
  host.log('debug', `masked ${findings.length} findings in ${text.length} characters`);
  const counts = countKinds(findings);
  return {
    summary: summarize(findings.length, counts),
    text: masked,
    total: findings.length,
    counts,
    findings: findings.slice(0, MAX_LISTED),
    findings_omitted: Math.max(0, findings.length - MAX_LISTED),
  };
}

function countKinds(findings) {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  for (const { kind } of findings) counts[kind]++;
  return counts;
}

function summarize(total, counts) {
  if (total === 0) return 'Nothing to mask.';
  const parts = Object.entries(counts).filter(([, count]) => count > 0);
  return `Masked ${total}: ${parts.map(([kind, count]) => `${count} ${kind}`).join(', ')}.`;
}

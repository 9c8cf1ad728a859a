// What `lurkbox/attack` exports: the attacks of `lurkbox doctor --attack`, for a program.

export type { AttackReport, AttackSum, OnReport } from './reports.ts';
export { type AttackOptions, type AttackSummary, attackEngine } from './run.ts';

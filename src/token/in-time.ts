import { longestWait } from '../issuer/deadline.ts'
import { IssuerUnavailable, type Verdict } from './verdict.ts'

/** The verdict, or that the issuer can not be asked now if it takes too long. */
export async function inTime(issuer: string, judging: Promise<Verdict>): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Verdict>((resolve) => {
    timer = setTimeout(() => resolve(new IssuerUnavailable(issuer, 1)), longestWait)
  })
  return Promise.race([judging, late]).finally(() => clearTimeout(timer))
}

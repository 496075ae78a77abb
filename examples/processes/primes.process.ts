// Counts primes by trial division: pure computation.
import { Process, Public } from 'mimas';

@Process({ name: 'primes', version: '1.0.0' })
export default class Primes {
  /** Primes from `from` up to, but not with, `to`. */
  @Public()
  count(from: number, to: number): number {
    let count = 0;
    for (let n = Math.max(2, from); n < to; n++) if (isPrime(n)) count++;
    return count;
  }
}

function isPrime(n: number): boolean {
  if (n % 2 === 0) return n === 2;
  for (let divisor = 3; divisor * divisor <= n; divisor += 2) if (n % divisor === 0) return false;
  return true;
}

import { Counts } from "../../base/index.ts";

/**
 * Who has how much of something that many share. While there is room each takes what it likes; once
 * there is none, a source that has less than an equal part gets it from whoever has most.
 */
export class SourceCounts extends Counts {
  /**
   * Who has to make room for one more of `source`, of `max` in all: whoever has most, if that is
   * more than `source` has. Nobody for a source that has its part. The search is as long as there
   * are sources, so it is only made for those that have less.
   */
  debtor(source: string, max: number): string | undefined {
    const own = this.of(source);
    const sources = this.size + (own === 0 ? 1 : 0);
    if (own > 0 && (own + 1) * sources > max) return undefined;
    let [most, debtor]: [number, string | undefined] = [own, undefined];
    for (const [other, has] of this.entries()) {
      if (has > most && other !== source) [most, debtor] = [has, other];
    }
    return debtor;
  }
}

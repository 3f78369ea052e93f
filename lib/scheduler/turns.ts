// A step runs one program; those that somebody wants take turns.
export class Turns {
  private next = 0 // the program that runs next, or the first after it that is wanted

  /** The wanted programs, the one whose turn it is first. */
  order(wanted: ReadonlySet<number>): readonly number[] {
    if (wanted.size < 2) return [...wanted]
    const programs = [...wanted].sort((a, b) => a - b)
    const split = Math.max(
      0,
      programs.findIndex((program) => program >= this.next),
    )
    return [...programs.slice(split), ...programs.slice(0, split)]
  }

  taken(program: number): void {
    this.next = program + 1
  }
}

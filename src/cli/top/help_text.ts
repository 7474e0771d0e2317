// Apart from the code that shows it: it is read as a page.
/** What `?` shows, for 60 columns. */
export const HELP_TEXT = `Keys

  Up, Down, k, j     select a row
  Tab, Shift-Tab     go to the next part, to the one before
  PgUp, PgDn, g, G   by screens, to the first, to the last
  Enter, d           describe the instance, or the job
  l                  its log; of a schedule, the last run's
  c                  cancel it
  r                  run it again; of a schedule, run it now
  p                  pause or resume its job
  P                  pause or resume all jobs
  a                  acknowledge an incident, or take that back
  /                  show only kinds that contain a text
  Esc                show all kinds
  Ctrl-L             draw everything anew
  q, Ctrl-C          quit

c, r, p, P and a ask first, and say what exactly will be done.

In a log or a description

  Up, Down, PgUp, PgDn, Space, b   scroll
  g, G               go to the start, follow the end
  /                  search
  n, N               the next match, the one before
  q, Esc             go back

What is shown

  Running     with age, progress and memory, the oldest first
  Next        ticks of schedules and waiting instances
  Failed      what failed for good, the newest first
  Incidents   what is wrong and has not recovered
  Nodes       the daemons on the store, if there are several

At most 100 runs and 50 rows of each other part are shown;
"jobctl list" has all of them.
`;

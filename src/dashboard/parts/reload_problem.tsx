import type { JSX } from "preact";
import { SLOWLY, useResource } from "../api/resource.ts";
import { may, seesAll } from "../state/access.ts";
import type { GetConfigResponse, GetStatusResponse } from "../gen/api_types.ts";

/** Refusals and omissions of the last configuration reload: with places, for admins. */
export function ReloadProblem({ status }: {
  readonly status: GetStatusResponse;
}): JSX.Element | null {
  const { reload_problem: problem } = status;
  const mayRead = problem !== undefined && may("admin") && seesAll();
  const config = useResource<GetConfigResponse>(mayRead ? "/config" : null, {}, {
    ...SLOWLY,
    mark: problem,
  });
  if (problem === undefined) return null;
  const problems = mayRead ? config.data?.problems ?? [] : [];
  return (
    <li>
      {`The last reload had problems: ${problem}`}
      {problems.length > 0 && (
        <ul>
          {problems.map((one) => <li key={one}>{one}</li>)}
        </ul>
      )}
    </li>
  );
}

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../../src/config/load_config.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BIN = join(ROOT, "node_modules/.bin");
const DOCKERFILES = ["Dockerfile", "Dockerfile.alpine"] as const;
const MANIFESTS = ["sqlite.yaml", "shared.yaml"] as const;

const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const folder = mkdtempSync(join(tmpdir(), "jobctl-container-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function contrib(name: string): string {
  return readFileSync(join(ROOT, "contrib", name), "utf8");
}

/** What a YAML file has; one document is a list, too. */
// deno-lint-ignore no-explicit-any
function yaml(name: string): any[] {
  const code = "console.log(JSON.stringify([Bun.YAML.parse(await Bun.stdin.text())].flat()))";
  const { stdout } = spawnSync(join(BIN, "bun"), ["-e", code], { input: contrib(name) });
  return JSON.parse(String(stdout));
}

/** What tsc says about manifests, as values of the types of Kubernetes. */
function mistakes(name: string, text: string): string {
  const manifest = join(folder, name);
  writeFileSync(manifest, text);
  const { stdout } = spawnSync(join(BIN, "bun"), [
    join(ROOT, "scripts/container/manifests.ts"),
    manifest,
  ]);
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  const types = join(folder, "node_modules/kubernetes-types");
  rmSync(types, { force: true });
  symlinkSync(join(ROOT, "node_modules/kubernetes-types"), types);
  const file = join(folder, `${name}.ts`);
  writeFileSync(file, stdout);
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "--ignoreConfig", "--types", ""];
  const module = ["--module", "esnext", "--moduleResolution", "bundler"];
  return String(spawnSync(join(BIN, "tsc"), [...flags, ...module, file], { cwd: folder }).stdout);
}

for (const name of MANIFESTS) {
  test(`contrib/kubernetes/${name} has only fields that Kubernetes knows`, () => {
    const text = contrib(`kubernetes/${name}`);
    assert.equal(mistakes(name, text), "");
    assert.match(
      mistakes(name, text.replace("readOnlyRootFilesystem", "readOnlyRootFileSystem")),
      /'"readOnlyRootFileSystem"' does not exist in type 'SecurityContext'/,
    );
  });

  test(`contrib/kubernetes/${name} fits together and has the restricted profile`, async () => {
    const all = yaml(`kubernetes/${name}`);
    const of = (kind: string) => all.find((each) => each.kind === kind);
    const { spec } = of("StatefulSet") ?? of("Deployment");
    const pod = spec.template.spec;
    const [container] = pod.containers;
    const labels = spec.template.metadata.labels;
    assert.deepEqual(spec.selector.matchLabels, labels);
    assert.deepEqual(of("Service").spec.selector, labels);
    assert.equal(spec.serviceName ?? "jobctl", of("Service").metadata.name);
    assert.equal(container.image, `ghcr.io/ts-job/jobctl:${version}`);
    assert.equal(pod.enableServiceLinks, false);
    const { runAsNonRoot, runAsUser, runAsGroup, fsGroup, seccompProfile } = pod.securityContext;
    assert.deepEqual(
      { runAsNonRoot, runAsUser, runAsGroup, fsGroup, seccompProfile },
      {
        ...{ runAsNonRoot: true, runAsUser: 10001, runAsGroup: 10001, fsGroup: 10001 },
        seccompProfile: { type: "RuntimeDefault" },
      },
    );
    assert.deepEqual(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    const volumes = [...pod.volumes, ...spec.volumeClaimTemplates ?? []].map((each) =>
      each.name ?? each.metadata.name
    );
    for (const mount of container.volumeMounts) assert.ok(volumes.includes(mount.name));

    let toml: string = of("ConfigMap").data["jobs.toml"];
    for (const key of Object.keys(of("Secret").stringData)) {
      writeFileSync(join(folder, key), "a secret", { mode: 0o600 });
      toml = toml.replaceAll(`/run/secrets/jobctl/${key}`, join(folder, key));
    }
    assert.doesNotMatch(toml, /\/run\/secrets/);
    writeFileSync(join(folder, "config.toml"), toml);
    const { config, problems, warnings } = await loadConfig(join(folder, "config.toml"));
    assert.deepEqual([problems, warnings], [[], []]);
    const { killAfterMs } = config.jobs[0] as { readonly killAfterMs?: number };
    const longest = config.worker.drainMs + (killAfterMs ?? 10_000);
    assert.ok(pod.terminationGracePeriodSeconds * 1_000 > longest, `${longest} ms`);
    const { httpGet } = container.readinessProbe;
    const port = container.ports.find((each: { name: string }) => each.name === httpGet.port);
    assert.equal(port.containerPort, config.server.http?.port);
  });
}

for (const name of DOCKERFILES) {
  test(`${name} has a user without rights, verifies the archive, and runs serve first`, () => {
    const text = contrib(`container/${name}`);
    for (
      const line of [
        "USER 10001:0",
        "VOLUME /var/lib/jobctl",
        "STOPSIGNAL SIGTERM",
        'ENTRYPOINT ["jobctl"]',
        'CMD ["serve"]',
      ]
    ) assert.ok(text.split("\n").includes(line), line);
    assert.match(text, /echo "\$sum" \| sha256sum -c/);
    assert.match(text, /jobctl healthcheck; \[ "\$\?" -le 1 \]/);
    const config = /COPY <<'CONFIG' \/etc\/jobctl\/config\.toml\n(.*?)\nCONFIG\n/s.exec(text);
    assert.ok(config, "no configuration");
    assert.equal(
      config[0],
      /COPY <<'CONFIG'.*?\nCONFIG\n/s.exec(contrib("container/Dockerfile"))![0],
    );
  });
}

test("compose.yaml waits for a healthy Valkey and stops after the drain", () => {
  const [{ services }] = yaml("container/compose.yaml");
  const { jobctl, valkey } = services;
  assert.deepEqual(jobctl.depends_on, { valkey: { condition: "service_healthy" } });
  assert.ok(valkey.healthcheck.test.length > 0);
  assert.equal(jobctl.stop_grace_period, "60s");
  assert.match(jobctl.environment.JOBCTL_STORE_URL, /^valkey:\/\/valkey:/);
  assert.equal(jobctl.read_only, true);
});

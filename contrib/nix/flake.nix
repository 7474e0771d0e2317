# Made by the release from contrib/nix/flake.nix.
{
  description = "@DESCRIPTION@";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      version = "@VERSION@";
      sources = {
        x86_64-linux = {
          target = "linux-x64";
          sha256 = "@SHA256_LINUX_X64@";
        };
        aarch64-linux = {
          target = "linux-arm64";
          sha256 = "@SHA256_LINUX_ARM64@";
        };
        x86_64-darwin = {
          target = "darwin-x64";
          sha256 = "@SHA256_DARWIN_X64@";
        };
        aarch64-darwin = {
          target = "darwin-arm64";
          sha256 = "@SHA256_DARWIN_ARM64@";
        };
      };
      package =
        system: source:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        pkgs.stdenvNoCC.mkDerivation {
          pname = "jobctl";
          inherit version;

          src = pkgs.fetchurl {
            url = "@HOMEPAGE@/releases/download/v${version}/jobctl-${version}-${source.target}.tar.gz";
            inherit (source) sha256;
          };

          nativeBuildInputs = [
            pkgs.installShellFiles
          ]
          ++ pkgs.lib.optional pkgs.stdenv.hostPlatform.isLinux pkgs.patchelf;

          dontConfigure = true;
          dontBuild = true;
          # The program carries its code after that of its runtime: strip would remove it, and only the loader's name may change.
          dontStrip = true;
          dontPatchELF = true;

          installPhase = ''
            runHook preInstall
            install -Dm755 jobctl -t $out/bin
            installManPage man/*
            installShellCompletion --cmd jobctl --bash completions/jobctl.bash \
              --fish completions/jobctl.fish --zsh completions/_jobctl
            install -Dm644 completions/jobctl.nu -t $out/share/nushell/vendor/autoload
            install -Dm644 LICENSE THIRD-PARTY-NOTICES config.example.toml -t $out/share/doc/jobctl
            runHook postInstall
          '';

          postFixup = pkgs.lib.optionalString pkgs.stdenv.hostPlatform.isLinux ''
            patchelf --set-interpreter ${pkgs.stdenv.cc.bintools.dynamicLinker} $out/bin/jobctl
          '';

          doInstallCheck = true;
          installCheckPhase = ''
            test "$($out/bin/jobctl --version)" = ${version}
          '';

          meta = {
            description = "@DESCRIPTION@";
            homepage = "@HOMEPAGE@";
            license = pkgs.lib.licenses.asl20;
            mainProgram = "jobctl";
            platforms = builtins.attrNames sources;
            sourceProvenance = [ pkgs.lib.sourceTypes.binaryNativeCode ];
          };
        };
    in
    {
      packages = builtins.mapAttrs (system: source: rec {
        jobctl = package system source;
        default = jobctl;
      }) sources;
    };
}

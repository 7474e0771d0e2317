# Made by the release from contrib/homebrew/jobctl.rb: the folder Formula of a tap has it.
class Jobctl < Formula
  desc "@DESCRIPTION@"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license "@LICENSE@"

  on_macos do
    on_arm do
      url "@HOMEPAGE@/releases/download/v@VERSION@/jobctl-@VERSION@-darwin-arm64.tar.gz"
      sha256 "@SHA256_DARWIN_ARM64@"
    end
    on_intel do
      url "@HOMEPAGE@/releases/download/v@VERSION@/jobctl-@VERSION@-darwin-x64.tar.gz"
      sha256 "@SHA256_DARWIN_X64@"
    end
  end

  on_linux do
    on_arm do
      url "@HOMEPAGE@/releases/download/v@VERSION@/jobctl-@VERSION@-linux-arm64.tar.gz"
      sha256 "@SHA256_LINUX_ARM64@"
    end
    on_intel do
      url "@HOMEPAGE@/releases/download/v@VERSION@/jobctl-@VERSION@-linux-x64.tar.gz"
      sha256 "@SHA256_LINUX_X64@"
    end
  end

  def install
    bin.install "jobctl"
    bash_completion.install "completions/jobctl.bash" => "jobctl"
    zsh_completion.install "completions/_jobctl"
    fish_completion.install "completions/jobctl.fish"
    (share/"nushell/vendor/autoload").install "completions/jobctl.nu"
    man1.install Dir["man/*.1"]
    man5.install Dir["man/*.5"]
    doc.install "THIRD-PARTY-NOTICES", "config.example.toml"
  end

  service do
    run [opt_bin/"jobctl", "serve", "--config", etc/"jobctl/config.toml"]
    keep_alive successful_exit: false
    log_path var/"log/jobctl.log"
    error_log_path var/"log/jobctl.log"
  end

  def caveats
    <<~EOS
      Write the configuration of the service before you start it:
        jobctl init #{etc}/jobctl
        brew services start jobctl
    EOS
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/jobctl --version").strip
    system bin/"jobctl", "init", "jobs"
    system bin/"jobctl", "check", "--config", "jobs/config.toml"
  end
end

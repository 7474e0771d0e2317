/**
 * The completion of PowerShell, from version 7 on: the program reads the line, and knows its verbs.
 */
export function powershellScript(): string {
  return SCRIPT;
}

// A word that only the shell could expand ends the question: nothing on the line is ever evaluated.
const SCRIPT = `# Completion of jobctl for PowerShell, made by: jobctl completion powershell

Register-ArgumentCompleter -Native -CommandName jobctl, jobctl.exe -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @()
  foreach ($element in $commandAst.CommandElements) {
    if ($element.Extent.StartOffset -ge $cursorPosition) { break }
    if ($element -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
      $text = $element.Value
    } elseif ($element -is [System.Management.Automation.Language.CommandParameterAst]) {
      $text = $element.Extent.Text
    } elseif ($element -is [System.Management.Automation.Language.ConstantExpressionAst]) {
      $text = $element.Extent.Text
    } else {
      return
    }
    $words += $text
  }
  # After a blank a new word begins.
  if ($wordToComplete -eq '' -or $words.Count -eq 1) { $words += '' }
  $head = ''
  if ($words[-1] -match '^(--[a-z-]+=)') { $head = $Matches[1] }
  $program = $words[0]
  $answer = ConvertTo-Json -Compress -InputObject @($words) | & $program __complete line 2>$null
  foreach ($line in $answer) {
    # Files, folders, users and programs: PowerShell's own completion.
    if ($line.StartsWith(':')) { continue }
    $name, $what = $line -split "\`t", 2
    if (-not $what) { $what = $name }
    $inserted = $name
    if ($name -notmatch '^[\\w@%+=:./-]+$' -or $name.StartsWith('@')) {
      $inserted = "'" + $name.Replace("'", "''") + "'"
    }
    [System.Management.Automation.CompletionResult]::new(
      $head + $inserted, $name, 'ParameterValue', $what)
  }
}
`;

using System.CommandLine;
using PmrGateway.Gateway.Cli;

var root = new RootCommand("PmrGateway: a FHIR R4 gateway with records in IPFS and consent on an Ethereum chain")
{
    ServeCommand.Create(),
    VerifyCommand.Create(),
    ConsentCommands.Create(),
    RetentionCommands.Create(),
    LedgerCommands.Create(),
    ActorCommands.Create(),
    ValidateCommand.Create(),
    FhirToolCommands.CreateFhirPath(),
    FhirToolCommands.CreateIndex(),
    FhirToolCommands.CreateConvert(),
    BenchCoreCommand.Create(),
    TokenCommands.CreateKeygen(),
    TokenCommands.CreateToken(),
};
try
{
    // No response files: an expression may begin with '@', and the text of a file is not to become arguments.
    return await root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null })
        .InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception e)
{
    return CommandError.Say(
        e is IOException or UnauthorizedAccessException ? "the answer cannot be written: " + e.Message : "an internal error: " + e.Message);
}

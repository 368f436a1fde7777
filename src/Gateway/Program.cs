using System.CommandLine;
using PmrGateway.Gateway.Cli;

var root = new RootCommand("PmrGateway: a FHIR R4 gateway with records in IPFS and consent on an Ethereum chain")
{
    ServeCommand.Create(),
    DemoCommand.Create(),
    VerifyCommand.Create(),
    ValidateCommand.Create(),
    FhirToolCommands.CreateFhirPath(),
    FhirToolCommands.CreateIndex(),
    FhirToolCommands.CreateConvert(),
    BenchCoreCommand.Create(),
    TokenCommands.CreateKeygen(),
    TokenCommands.CreateToken(),
};
return await root.Parse(args).InvokeAsync();

// F, the floor of bench/README.md: a store of bytes under FHIR's URLs. It checks tokens, keeps what it is sent durably and gives it back;
// it does not validate, decide, encrypt or audit. Arguments: port, folder. Its first line of output is a token.
using PmrGateway.Bench.Floor;

var (port, folder) = (int.Parse(args[0], System.Globalization.CultureInfo.InvariantCulture), args[1]);
Directory.CreateDirectory(folder);
await using var store = ByteStore.Open(Path.Combine(folder, "floor.db"));
var gate = new TokenGate(TimeProvider.System);
var endpoints = new FloorEndpoints(store, TimeProvider.System);

var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.Listen(System.Net.IPAddress.Loopback, port);
    kestrel.AddServerHeader = false;
    kestrel.Limits.MaxRequestBodySize = 64 << 20;
});
var app = builder.Build();
app.Use(gate.CheckAsync);
app.MapGet("/fhir/{type}/{id}", (RequestDelegate)endpoints.ReadAsync);
app.MapGet("/fhir/{type}", (RequestDelegate)endpoints.SearchAsync);
app.MapGet("/fhir/Patient/{id}/$everything", (RequestDelegate)endpoints.EverythingAsync);
app.MapPost("/fhir/{type}", (RequestDelegate)endpoints.CreateAsync);
app.MapPost("/fhir", (RequestDelegate)endpoints.TransactionAsync);
await app.StartAsync();
Console.WriteLine(gate.IssueToken());
await app.WaitForShutdownAsync();

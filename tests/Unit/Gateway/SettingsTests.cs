using PmrGateway.Gateway.Hosting;

namespace PmrGateway.Tests.Unit.Gateway;

public class SettingsTests
{
    [Fact]
    public void Flags_are_read_in_their_sections()
    {
        var options =
            Settings.Read(["--Ledger:ChainId", "7", "--url=http://127.0.0.1:1", "--Ledger:MaxStaleness", "00:00:09"], out var problem);
        Assert.Null(problem);
        Assert.Equal(
            (7L, "http://127.0.0.1:1", TimeSpan.FromSeconds(9)), (options!.Ledger.ChainId, options.Url, options.Ledger.MaxStaleness));
    }

    [Theory]
    [InlineData("--Ledger:ChainId", "0", "Ledger:ChainId is 0: a positive number")]
    [InlineData("--Ledger:ChainId", "one", "Ledger:ChainId")]
    [InlineData("--Ledger:RpcUrl", "node", "Ledger:RpcUrl is 'node': an http or https URL")]
    [InlineData("--Ledger:Confirmations", "-1", "0 to 100")]
    [InlineData("--Ledger:MaxStaleness", "00:00:00", "at least 00:00:01")]
    [InlineData("--Ledger:AnchorBatchSize", "0", "1 to 100000")]
    [InlineData("--Ipfs:Store", "s3", "Ipfs:Store is 's3': embedded or kubo")]
    [InlineData("--Limits:MaxBodyBytes", "1", "1024 to 1073741824")]
    [InlineData("--url", "ftp://x", "Url is 'ftp://x'")]
    [InlineData("--PublicUrl", "http://x/", "without a slash at its end")]
    [InlineData("--Auth:Entra:Instance", "login", "Auth:Entra:Instance is 'login'")]
    [InlineData("--Auth:Entra:Instance", "https://login.example/", "Auth:Entra:TenantId is empty")]
    [InlineData("--Auth:Issuers:0:Authority", "login", "Auth:Issuers:Authority is 'login'")]
    [InlineData("--Limits:MaxDepth", "2", "Limits:MaxDepth is 2: 8 to 1000")]
    [InlineData("--Fhir:Packages:0", "no/such.tgz", "Fhir:Packages names 'no/such.tgz'")]
    [InlineData("--Retention:DefaultYears", "-1", "Retention:DefaultYears is -1: 0 to 200")]
    [InlineData("--Retention:AgeOfMajority", "31", "Retention:AgeOfMajority is 31: 0 to 30")]
    [InlineData("--Retention:Years:ImagingStudy", "201", "Retention:Years:ImagingStudy is 201: 0 to 200")]
    [InlineData("--Retention:Years:ImagingStudy", "ten", "Retention:Years:ImagingStudy")]
    [InlineData("--Retention:Years:Xray", "10", "Retention:Years:Xray is 10: Retention:Years is by resource types of R4")]
    [InlineData("--Ledgr:ChainId", "1", "Ledgr")]
    [InlineData("--Auth:TokenLifetime", "-1", "Auth:TokenLifetime is -1.00:00:00: 00:00:01 to 1.00:00:00")]
    [InlineData("--Auth:TokenLifetime", "00:00:00", "00:00:01 to 1.00:00:00")]
    [InlineData("--Ledger:AnchorMaxAge", "-5", "Ledger:AnchorMaxAge is -5.00:00:00: 00:00:00 to 01:00:00")]
    [InlineData("--Ledger:AnchorMaxAge", "5", "Ledger:AnchorMaxAge is 5.00:00:00")]
    [InlineData("--Ledger:MaxStaleness", "30", "Ledger:MaxStaleness is 30.00:00:00: 00:00:01 to 1.00:00:00")]
    [InlineData("--Ledger:PollInterval", "-00:00:01", "Ledger:PollInterval")]
    [InlineData("--Ipfs:Store=kubo", "--Ipfs:KuboUrl=node", "Ipfs:KuboUrl is 'node'")]
    public void A_setting_that_is_wrong_is_named_with_its_value_and_what_is_allowed(string flag, string value, string message)
    {
        Assert.Null(Settings.Read([flag, value], out var problem));
        Assert.Contains(message, problem);
    }

    [Theory]
    [InlineData("Ipfs:Store is 'embedded' and Store:Provider is 'postgres'", "--Ledger:RpcUrl=http://127.0.0.1:1")]
    [InlineData("Ledger:RpcUrl is empty and Store:Provider is 'postgres'", "--Ipfs:Store=kubo")]
    [InlineData(null, "--Ledger:RpcUrl=http://127.0.0.1:1", "--Ipfs:Store=kubo")]
    [InlineData(null, "--Store:SingleGateway=true")]
    public void Gateways_on_one_database_share_blocks_and_chain_unless_there_is_one_alone(string? message, params string[] flags)
    {
        var options = Settings.Read(["--Store:Provider=postgres", "--Store:ConnectionString=Host=x", .. flags], out var problem);
        Assert.Equal(message is null, options is not null);
        if (message is not null) Assert.Contains(message, problem);
    }

    [Theory]
    [InlineData("--data has no value", "--data")]
    [InlineData("--data has no value", "--data", "--url", "http://127.0.0.1:1")]
    [InlineData("--Ledger:ChainId has no value", "--url=http://127.0.0.1:1", "--Ledger:ChainId")]
    [InlineData("'data' is no setting", "data")]
    [InlineData("'-data' is no setting", "-data", "x")]
    [InlineData("'y' is no setting", "--data", "x", "y")]
    public void A_flag_without_its_value_and_a_value_without_its_flag_are_named(string message, params string[] flags)
    {
        Assert.Null(Settings.Read(flags, out var problem));
        Assert.Contains(message, problem);
    }

    [Fact]
    public void A_flag_may_be_set_to_nothing()
    {
        Assert.Equal("", Settings.Read(["--PublicUrl=", "--data", "x"], out var problem)!.PublicUrl);
        Assert.Null(problem);
    }
}

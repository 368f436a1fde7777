using System.Security.Cryptography;
using System.Text;
using PmrGateway.Mapping;
using PmrGateway.Vault;

namespace PmrGateway.Tests.Unit.Vault;

public sealed class EnvelopeTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Every_vector_seals_and_opens_to_the_same_bytes()
    {
        var count = 0;
        foreach (var v in Vectors.Read("envelope.json").GetProperty("vectors").EnumerateArray())
        {
            byte[] Hex(string name) => Convert.FromHexString(v.GetProperty(name).GetString()!);
            var (plaintext, context) = (Text(v.GetProperty("plaintext").GetString()!, v.GetProperty("size").GetInt32()), v.GetProperty("context").GetString()!);
            var body = StreamingBody.Seal(Hex("dataKey"), context, plaintext, Hex("salt"), Hex("prefix"));
            Assert.Equal(v.GetProperty("bodySize").GetInt32(), body.Length);
            Assert.Equal(Hex("bodySha256"), SHA256.HashData(body));
            Assert.Equal(plaintext, StreamingBody.Open(Hex("dataKey"), context, body));
            Assert.Equal(Hex("keyCommitment"), PmrGateway.Vault.Primitives.KeyCommitment(Hex("dataKey")));
            count++;
        }
        Assert.Equal(8, count);
    }

    [Fact]
    public void Every_broken_vector_is_refused()
    {
        var refusals = Vectors.Read("envelope.json").GetProperty("refusals").EnumerateArray().ToList();
        Assert.Equal(9, refusals.Count);
        foreach (var v in refusals)
        {
            Assert.Throws<SealBrokenException>(() => StreamingBody.Open(
                Convert.FromHexString(v.GetProperty("dataKey").GetString()!), v.GetProperty("context").GetString()!, Convert.FromHexString(v.GetProperty("body").GetString()!)));
        }
    }

    [Fact]
    public void A_record_opens_with_its_own_permit_only()
    {
        var vault = new RecordVault(Keyring.OpenOrCreate(_folder["keyring.json"]));
        var subjectKey = vault.NewSubjectKey("Patient/p");
        var body = vault.Seal("secret"u8, "Observation", "o1", 3, "Patient/p", subjectKey);
        Assert.Equal("secret"u8.ToArray(), vault.Open(PermitFor("Observation", "o1"), body, 3, "Patient/p", subjectKey));
        Assert.Throws<SealBrokenException>(() => vault.Open(PermitFor("Observation", "o2"), body, 3, "Patient/p", subjectKey));
        Assert.Throws<SealBrokenException>(() => vault.Open(PermitFor("Observation", "o1"), body, 4, "Patient/p", subjectKey));
        Assert.Throws<SealBrokenException>(() => vault.Open(PermitFor("Observation", "o1"), body, 3, "Patient/q", subjectKey));
    }

    [Fact]
    public void A_key_or_commitment_that_was_changed_is_refused()
    {
        var vault = new RecordVault(Keyring.OpenOrCreate(_folder["keyring.json"]));
        var subjectKey = vault.NewSubjectKey("Patient/p");
        var body = vault.Seal("secret"u8, "Observation", "o1", 1, "Patient/p", subjectKey);
        byte[] Flip(byte[] bytes) => [(byte)(bytes[0] ^ 1), .. bytes[1..]];
        foreach (var broken in new[]
        {
            body with { WrappedKey = Flip(body.WrappedKey) },
            body with { KeyCommitment = Flip(body.KeyCommitment) },
            body with { PlaintextDigest = Flip(body.PlaintextDigest) },
        })
        {
            Assert.Throws<SealBrokenException>(() => vault.Open(PermitFor("Observation", "o1"), broken, 1, "Patient/p", subjectKey));
        }
        Assert.Throws<SealBrokenException>(() => vault.Open(PermitFor("Observation", "o1"), body, 1, "Patient/p", vault.NewSubjectKey("Patient/p")));
    }

    [Fact]
    public void The_keyring_is_the_same_after_a_restart_and_refuses_to_be_readable_by_others()
    {
        var path = _folder["keyring.json"];
        Assert.Equal(Keyring.OpenOrCreate(path).Derive("x"), Keyring.OpenOrCreate(path).Derive("x"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        Assert.Contains("0600", Assert.Throws<KeyringException>(() => Keyring.OpenOrCreate(path)).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"format\":\"pmr-keyring/1\",\"masterKey\":\"AAAA\"}")]
    public void A_broken_keyring_is_refused_by_name(string content)
    {
        var path = _folder["keyring.json"];
        File.WriteAllText(path, content);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Assert.Contains(path, Assert.Throws<KeyringException>(() => Keyring.OpenOrCreate(path)).Message);
    }

    public void Dispose() => _folder.Dispose();

    private static Permit PermitFor(string type, string id) => new(new RecordFacts(type, id, "", [], []), PermitBasis.Author, [], 0);

    private static byte[] Text(string seed, int size)
    {
        var bytes = new MemoryStream();
        for (var i = 0; i * 32 < size; i++) bytes.Write(SHA256.HashData(Encoding.UTF8.GetBytes($"{seed} {i}")));
        return bytes.ToArray()[..size];
    }
}
